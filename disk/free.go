package disk

// Free returns how many more bytes the files of a directory may take, and whether that is known: it is not on
// every system, nor of a Dir that cannot say (one that can has a method Free like this function). The number
// is a moment's: others write to the same disk, and a quota of the owner may be less. So a write must still
// expect ErrNoSpace; to ask first is only for who wants to leave room for somebody else.
func Free(d Dir) (bytes int64, known bool) {
	if f, can := d.(interface{ Free() (int64, bool) }); can {
		return f.Free()
	}
	return 0, false
}

// Free asks the operating system.
func (d *osDir) Free() (bytes int64, known bool) { return free(d.path) }

// Free returns what Memory.Limit leaves; it is not known without a limit.
func (d *memoryDir) Free() (bytes int64, known bool) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	if d.m.limit == 0 {
		return 0, false
	}
	return max(0, d.m.limit-d.m.used()), true
}
