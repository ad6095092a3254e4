//go:build unix

package main

import (
	"os"
	"syscall"
)

// ownGroup puts a node into a process group of its own, in its supervisor's session. So Ctrl-C in a terminal
// does not reach it; and when the supervisor dies, the system wakes a node that is paused and hangs it up:
// a stopped process could not notice by itself that its parent is gone.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// detached gives a process a session of its own: it outlives the terminal.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func pause(p *os.Process) error { return p.Signal(syscall.SIGSTOP) }

func unpause(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
