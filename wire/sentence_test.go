package wire

import (
	"errors"
	"testing"
)

// What is wrong with a message is said once, and is an ErrMalformed all the same, however deep it lies.
func TestWhatIsMalformedIsSaidOnce(t *testing.T) {
	for body, want := range map[string]string{
		`[]`: "append_entries: not a JSON object",
		`{"term":1,"leader_id":2,"entries":[{"term":1,"command":"x","comand":"y"}]}`: `append_entries: ` +
			`entry 1: unknown field "comand"`,
	} {
		_, err := DecodeJSON("append_entries", []byte(body))
		if !errors.Is(err, ErrMalformed) || err.Error() != want {
			t.Errorf("%s: %v", body, err)
		}
	}
}
