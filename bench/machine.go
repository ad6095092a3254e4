package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// describeMachine says what the run runs on, with what would make its figures worthless.
func describeMachine(dir string) (lines []string) {
	lines = append(lines, fmt.Sprintf("%s, %s, %d processors (%s), Linux %s",
		time.Now().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(), processor(),
		firstLine("/proc/sys/kernel/osrelease")))
	load, _, _ := strings.Cut(firstLine("/proc/loadavg"), " ")
	lines = append(lines, "load of the machine before: "+load)
	const tmpfs, overlay = 0x01021994, 0x794c7630
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err == nil && (fs.Type == tmpfs || fs.Type == overlay) {
		lines = append(lines, dir+" is in memory or on an overlay: syncs cost less than on a disk, use -dir")
	}
	return lines
}

func firstLine(name string) string {
	text, _ := os.ReadFile(name)
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// versions names the modules of a system with their versions.
func versions(s system) string {
	if len(s.modules) == 0 {
		return "this tree, " + commit()
	}
	info, _ := debug.ReadBuildInfo()
	var named []string
	for _, name := range s.modules {
		version := "of unknown version"
		if info != nil {
			for _, d := range info.Deps {
				if d.Path == name {
					version = d.Version
				}
			}
		}
		named = append(named, name+" "+version)
	}
	return strings.Join(named, ", ")
}

// commit names the commit that is checked out where the program was started, if git knows one.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "commit unknown"
	}
	return "commit " + strings.TrimSpace(string(out))
}
