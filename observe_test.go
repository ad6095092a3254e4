package balsa_test

import (
	"strings"
	"testing"
	"time"
)

// A node that is alone looks for votes several times a second, and says so a few times a minute. At debug
// level everything is said.
func TestALoneNodeDoesNotTellItForEver(t *testing.T) {
	inBubble(t, 3, func(c *cluster) {
		c.open(1)
		advance(31 * time.Second)
		info, debug := 0, 0
		for line := range strings.Lines(c.logged()) {
			switch told := strings.Contains(line, "Became PRE-CANDIDATE"); {
			case told && strings.Contains(line, "level=INFO"):
				info++
			case told && strings.Contains(line, "level=DEBUG"):
				debug++
			}
		}
		if info < 3 || info > 4 || debug < 30 || !strings.Contains(c.logged(), "times_before=") {
			t.Errorf("told %d times, and %d times in detail", info, debug)
		}
	})
}
