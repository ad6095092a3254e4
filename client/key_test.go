package client

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

// A key that is too long is the caller's mistake, whoever notices it, and nothing has happened.
func TestAKeyThatIsTooLong(t *testing.T) {
	n := start(t, 1, accept)
	c := connect(t, n.URL)
	ctx, key := t.Context(), strings.Repeat("k", MaxKey+1)
	_, get := c.Get(ctx, key)
	_, put := c.Put(ctx, key, nil)
	_, del := c.Delete(ctx, key)
	if n.asked.Load() != 0 {
		t.Error("it was sent")
	}
	n.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(431) }
	_, head := c.Put(ctx, "k", nil)
	for _, err := range []error{get, put, del, head} {
		var e *Error
		if !errors.Is(err, ErrBadRequest) || !errors.As(err, &e) || e.Code != CodeTooLarge ||
			e.Outcome != NotApplied {
			t.Errorf("got %v", err)
		}
	}
}
