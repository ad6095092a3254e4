package main

import (
	"os"
	"strings"
	"testing"
)

// writeConfig writes balsa.toml into a fresh directory, in which the test goes on.
func writeConfig(t *testing.T, content string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("balsa.toml", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A flag beats the environment, which beats the file. The value that counts is seen in the sentence about it.
func TestFlagBeatsEnvironmentBeatsFile(t *testing.T) {
	writeConfig(t, "# timing\nheartbeat = \"1ms\"\nnodes = 7 # of dev\n")
	for _, c := range []struct {
		variable string
		flags    []string
		want     string
	}{
		{"", nil, "--heartbeat is 1ms: at least 10ms is needed (--heartbeat comes from balsa.toml:2)"},
		{"2ms", nil, "--heartbeat is 2ms: at least 10ms is needed (--heartbeat comes from BALSA_HEARTBEAT)"},
		{"2ms", []string{"--heartbeat", "3ms"}, "--heartbeat is 3ms: at least 10ms is needed"},
	} {
		if c.variable != "" {
			t.Setenv("BALSA_HEARTBEAT", c.variable)
		}
		got := command(t, "", append(serveArgs("--config", "balsa.toml"), c.flags...)...)
		if got.status != exitUsage || got.err != "balsa: "+c.want+"\n" {
			t.Errorf("%q %v: status %d, stderr %q", c.variable, c.flags, got.status, got.err)
		}
	}
	t.Setenv("BALSA_CONFIG", "balsa.toml")
	t.Setenv("BALSA_HTTP_PORT", "65530")
	got := command(t, "", "dev")
	want := "balsa: --http-port is 65530: the ports of 7 nodes must lie from 1 to 65535" +
		" (--http-port comes from BALSA_HTTP_PORT)\n"
	if got.err != want {
		t.Errorf("dev: %q, want %q", got.err, want)
	}
}

// Everything that is wrong with the settings is named at once, each with its place.
func TestAllWrongSettingsAreNamed(t *testing.T) {
	writeConfig(t, `
heartbeet = "1s"
raft_port = 7001
zzzzzzzzzzzz = 1
nodes = "many"
[serve]
id = 1
`)
	t.Setenv("BALSA_HTTP_PORT", "web")
	got := command(t, "", "--config", "balsa.toml", "dev")
	want := `balsa: balsa.toml:2: there is no setting "heartbeet": did you mean heartbeat?
balsa: balsa.toml:3: there is no setting "raft_port": did you mean raft-port?
balsa: balsa.toml:6: there is no setting "serve": see balsa help serve
balsa: balsa.toml:4: there is no setting "zzzzzzzzzzzz": see balsa help serve
balsa: BALSA_HTTP_PORT: "web" is no value for --http-port: write a whole number
balsa: balsa.toml:5: "many" is no value for --nodes: write a whole number
`
	if got.status != exitUsage || got.err != want {
		t.Errorf("status %d, stderr\n%swant\n%s", got.status, got.err, want)
	}
}

func TestAFileOfSettingsThatCannotBeRead(t *testing.T) {
	writeConfig(t, "nodes = 3\nheartbeat = \"unfinished\n")
	for path, want := range map[string]string{
		"balsa.toml": "balsa: balsa.toml:2: this is no TOML: ",
		"missing":    "balsa: --config: open missing: no such file or directory: name a file that can be ",
	} {
		got := command(t, "", "dev", "--config", path)
		if got.status != exitUsage || !strings.HasPrefix(got.err, want) || strings.Count(got.err, "\n") != 1 {
			t.Errorf("%s: status %d, stderr %q", path, got.status, got.err)
		}
	}
}

// Lists are written as TOML's or with commas, as on the command line.
func TestListsInTheFile(t *testing.T) {
	writeConfig(t, "endpoints = [\"127.0.0.1:1\", \"127.0.0.1:2\"]\noutput = \"json\"\n")
	got := command(t, "", "status", "--config", "balsa.toml")
	if !strings.Contains(got.out, "127.0.0.1:1") || !strings.Contains(got.out, "127.0.0.1:2") ||
		!strings.HasPrefix(got.out, "[") {
		t.Errorf("%+v", got)
	}
}

// What the nodes of a cluster would refuse is told before anything is made, with every place it comes from.
func TestAClusterChecksTheSettingsOfItsNodes(t *testing.T) {
	t.Chdir(t.TempDir())
	writeConfig(t, "heartbeat = \"500ms\"\nelection-timeout = \"400ms..300ms\"\n")
	for _, args := range []string{"cluster start", "dev", "dev --detach"} {
		got := command(t, "", append([]string{"--config", "balsa.toml"}, strings.Fields(args)...)...)
		for _, words := range []string{"begins at 400ms", "ends at 300ms", "balsa.toml:1", "balsa.toml:2"} {
			if got.status != exitUsage || !strings.Contains(got.err, words) {
				t.Errorf("%s: status %d, stderr %q lacks %q", args, got.status, got.err, words)
			}
		}
	}
	if left, _ := os.ReadDir("."); len(left) != 1 {
		t.Errorf("something was made: %v", left)
	}
}
