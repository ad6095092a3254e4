package main

import (
	"errors"
	"os"
	"syscall"
)

// errNoPause says what cannot be had here.
var errNoPause = errors.New("this system cannot pause a process: pause and resume need one with SIGSTOP")

func ownGroup() *syscall.SysProcAttr { return nil }

// detached lets a process outlive its console.
func detached() *syscall.SysProcAttr {
	const detachedProcess = 0x8
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP | detachedProcess}
}

func pause(*os.Process) error { return errNoPause }

func unpause(*os.Process) error { return nil }
