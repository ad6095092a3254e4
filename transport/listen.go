package transport

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"balsa/raft"
)

// Listen listens on an address, as host:port. An error names the address and says what to do.
func Listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	switch {
	case err == nil:
		return listener, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("cannot listen on %s: another program uses this address; "+
			"stop it, or give this node another address: %w", address, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("cannot listen on %s: this machine has no such address; "+
			"give an address of this machine: %w", address, err)
	}
	return nil, fmt.Errorf("cannot listen on %s: give a free host:port of this machine: %w", address, err)
}

// CheckAddresses says which address of a node other than self is not host:port, nil if none.
func CheckAddresses(self raft.NodeID, given ...map[raft.NodeID]string) error {
	for _, peers := range given {
		for id, address := range peers {
			if _, _, err := net.SplitHostPort(address); err != nil && id != self {
				return fmt.Errorf("the address %q of node %v is not host:port", address, id)
			}
		}
	}
	return nil
}
