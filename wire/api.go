package wire

import "fmt"

// MaxAPI bounds each address beside an identity, in bytes: its length takes one byte.
const MaxAPI = 255

// CheckAPI reports why a text cannot stand for an address in a message (raft.Identity.API and Address): it
// has more than MaxAPI bytes, or one that is no visible ASCII character. Such an address ends up in a header
// of HTTP and in an address bar: a line feed in it would let one member write headers in the name of another.
// The error is a clause about the address; what comes from a person is checked with it before it is encoded.
func CheckAPI(address string) error {
	if len(address) > MaxAPI {
		return fmt.Errorf("has %d bytes, at most %d", len(address), MaxAPI)
	}
	for i := range len(address) {
		if b := address[i]; b <= ' ' || b > '~' {
			return fmt.Errorf("has a byte %#x, which belongs into no address", b)
		}
	}
	return nil
}

func appendAPI(dst []byte, address string) []byte {
	if err := CheckAPI(address); err != nil {
		panic("wire: an address " + err.Error())
	}
	return append(append(dst, byte(len(address))), address...)
}

func decodeAPI(c *cursor) string {
	address := string(c.take(int(c.u8())))
	if err := CheckAPI(address); err != nil {
		c.fail("an address %v", err)
	}
	return address
}
