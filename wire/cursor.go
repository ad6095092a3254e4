package wire

import "encoding/binary"

// cursor takes fields off the front of src. After the first failure every field is zero and finish says what
// went wrong, so that a decoder reads like the layout that it decodes.
type cursor struct {
	src []byte
	err error
}

// take returns the next n bytes, which share src's memory, or nil when there are fewer.
func (c *cursor) take(n int) []byte {
	if c.err != nil || n > len(c.src) {
		c.fail("cut off")
		return nil
	}
	field := c.src[:n:n]
	c.src = c.src[n:]
	return field
}

// u8 returns the next byte.
func (c *cursor) u8() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

// u32 returns the next four bytes as a number.
func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// number returns the next eight bytes as one of the protocol's quantities.
func number[T ~uint64](c *cursor) T {
	if b := c.take(8); b != nil {
		return T(binary.LittleEndian.Uint64(b))
	}
	return 0
}

// flags returns the next byte, in which only the bits of known may be set: a bit of a later version must not
// be lost.
func (c *cursor) flags(known byte) byte {
	f := c.u8()
	if f&^known != 0 {
		c.fail("unknown flags %#x", f)
	}
	return f & known
}

// bytes returns what a length of four bytes announces; nil when that is 0.
func (c *cursor) bytes() []byte {
	length := c.u32()
	if length > MaxCommand {
		c.fail("%d bytes of data, at most %d", length, MaxCommand)
	}
	if length == 0 {
		return nil
	}
	return c.take(int(length))
}

// fail keeps the first failure.
func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = malformed(format, args...)
	}
}

// finish returns the first failure, or one when bytes are left over. It wraps ErrMalformed.
func (c *cursor) finish() error {
	if c.err == nil && len(c.src) > 0 {
		c.fail("%d bytes too many", len(c.src))
	}
	return c.err
}
