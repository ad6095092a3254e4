package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// scratch is a directory for what all tests share, such as the binary; it is removed at the end.
var scratch = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "balsa-test-") })

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		if dir, err := scratch(); err == nil {
			_ = os.RemoveAll(dir)
		}
		os.Exit(status)
	}))
}

// result is what became of one command line.
type result struct {
	status   int
	out, err string
}

func command(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var out, err bytes.Buffer
	status := run(t.Context(), args, &console{in: strings.NewReader(stdin), out: &out, err: &err})
	return result{status, out.String(), err.String()}
}

// serveArgs is a command line of serve that is right, with some flags given another value, or taken away by
// "-".
func serveArgs(changes ...string) []string {
	flags := []string{"--id", "1", "--data", "d", "--raft", "127.0.0.1:7001", "--http", "127.0.0.1:8001",
		"--peers", "1=127.0.0.1:7001,2=127.0.0.1:7002,3=127.0.0.1:7003"}
	for i := 0; i < len(changes); i += 2 {
		flags = replaceFlag(flags, changes[i], changes[i+1])
	}
	return append([]string{"serve"}, flags...)
}

func replaceFlag(flags []string, name, value string) (changed []string) {
	found := false
	for i := 0; i < len(flags); i += 2 {
		switch {
		case flags[i] != name:
			changed = append(changed, flags[i], flags[i+1])
		case value != "-":
			changed = append(changed, name, value)
		}
		found = found || flags[i] == name
	}
	if !found {
		changed = append(changed, name, value)
	}
	return changed
}

// Each mistake on a command line is one sentence that says what to do. Nothing is opened.
func TestMistakesAreSentences(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string // every line of stderr
	}{
		{"unknown command", []string{"stauts"},
			`unknown command "stauts": did you mean status? See balsa help`},
		{"unknown command, nothing near", []string{"frobnicate"},
			`unknown command "frobnicate": see balsa help`},
		{"unknown topic", []string{"help", "frobnicate"}, `unknown command "frobnicate": see balsa help`},
		{"unknown flag", []string{"--nope"}, "unknown flag: --nope: see balsa --help"},
		{"unknown flag of a command", []string{"get", "--nope"},
			"unknown flag: --nope: see balsa get --help"},
		{"no duration", []string{"put", "a", "b", "--ttl", "3"},
			`"3" is no value for --ttl: write a duration, as in 150ms: see balsa put --help`},
		{"too large a number", []string{"incr", "a", "--by", "9223372036854775808"},
			`"9223372036854775808" is no value for --by: write a whole number within int64: ` +
				"see balsa incr --help"},
		{"no number", []string{"dev", "--nodes", "x"},
			`"x" is no value for --nodes: write a whole number: see balsa dev --help`},
		{"no list", []string{"get", "a", "--endpoints", "\""}, `"\"" is no value for --endpoints: ` +
			"write values with commas between them: see balsa get --help"},
		{"color", []string{"version", "--color", "red"}, `--color is "red": write auto, always or never`},
		{"output", []string{"get", "k", "-o", "xml"}, `-o is "xml": write table, json or plain`},
		{"output of status", []string{"status", "-o", "xml"}, `-o is "xml": write table, json or plain`},
		{"no key", []string{"get"}, "write balsa get KEY: see balsa help get"},
		{"too much", []string{"put", "a", "b", "c"},
			"write balsa put KEY [VALUE|@FILE|-]: see balsa help put"},
		{"argument", []string{"status", "now"},
			`balsa status takes no arguments, but there is "now": see balsa help status`},
		{"endpoint", []string{"get", "k", "--endpoints", "ftp://x"},
			`--endpoints: endpoint "ftp://x": write it as http://host:port`},

		{"id missing", serveArgs("--id", "-"),
			"--id is missing: give every node a number of its own, as in --id 1"},
		{"id no number", serveArgs("--id", "one"), `--id: "one" is no id: ids are whole numbers from 1 on`},
		{"id zero", serveArgs("--id", "0"), `--id: "0" is no id: ids are whole numbers from 1 on`},
		{"data missing", serveArgs("--data", "-"),
			"--data is missing: name a directory for this node's data, as in --data node1"},
		{"http missing", serveArgs("--http", "-"),
			"--http is missing: give the address for clients, as in --http 127.0.0.1:8001"},
		{"http without port", serveArgs("--http", "127.0.0.1"),
			`--http: "127.0.0.1" is no address: write HOST:PORT, as in 127.0.0.1:7001`},
		{"http with a word for a port", serveArgs("--http", "127.0.0.1:web"),
			`--http: "127.0.0.1:web" has no port from 0 to 65535: write HOST:PORT, as in 127.0.0.1:7001`},
		{"http for everybody", serveArgs("--http", ":8001"),
			"--http is :8001, which other machines may reach, " +
				"and nothing is encrypted or authenticated: listen on 127.0.0.1, " +
				"or add --insecure-i-understand"},
		{"raft for everybody", serveArgs("--raft", "-", "--peers", "1=192.0.2.1:7001"),
			"--raft is 192.0.2.1:7001, which other machines may reach, and nothing is encrypted or " +
				"authenticated: " +
				"listen on 127.0.0.1, or add --insecure-i-understand"},
		{"raft is http", serveArgs("--http", "127.0.0.1:7001"),
			"--raft and --http are both 127.0.0.1:7001: give peers and clients an address each"},
		{"raft differs", serveArgs("--raft", "127.0.0.1:7009"),
			"--raft is 127.0.0.1:7009, but --peers says that node 1 is at 127.0.0.1:7001: make them the " +
				"same, or leave --peers out to start a node that has moved"},
		{"no verb of member", []string{"member", "frobnicate"},
			`unknown verb "frobnicate": see balsa help member`},
		{"nearly a verb of leader", []string{"leader", "transfr"},
			`unknown verb "transfr": did you mean transfer? See balsa help leader`},
		{"add nobody", []string{"member", "add", "4"}, "--incarnation and --raft are needed: balsa status " +
			"-o json, asked of the node, says both: see balsa help member add"},
		{"update nothing", []string{"member", "update", "4"}, "say where it is, with --raft or --http: see " +
			"balsa help member update"},
		{"join and peers", serveArgs("--join", "http://127.0.0.1:8002"),
			"--join and --peers are both given: a node founds a cluster with others, or joins one"},
		{"join by name", serveArgs("--peers", "-", "--join", "http://127.0.0.1:8002", "--cluster", "c"),
			"--join and --cluster are both given: the cluster that is joined says which it is"},
		{"join and listen nowhere",
			serveArgs("--peers", "-", "--join", "http://127.0.0.1:8002", "--raft", "-"),
			"--raft is missing: a node that joins says where it listens for peers, " +
				"as in --raft 127.0.0.1:7004"},
		{"join nobody", serveArgs("--peers", "-", "--join", "127.0.0.1:8002"),
			`--join: "127.0.0.1:8002" is not the URL of a node, as in http://127.0.0.1:8001`},
		{"advertise no host", serveArgs("--advertise-raft", "0.0.0.0:7001"),
			"--advertise-raft is 0.0.0.0:7001: write the HOST:PORT at which peers reach this node"},
		{"advertise no port", serveArgs("--advertise-raft", "here"),
			`--advertise-raft: "here" is no address: write HOST:PORT, as in 127.0.0.1:7001`},
		{"peers without oneself", serveArgs("--id", "4"),
			"--peers names 1, 2, 3 but not this node, 4: list every node, this one included"},
		{"peers malformed", serveArgs("--peers", "1=127.0.0.1:7001,two"),
			`--peers: "two" is not ID=HOST:PORT, as in 1=127.0.0.1:7001`},
		{"peers with a bad id", serveArgs("--peers", "1=127.0.0.1:7001,x=127.0.0.1:7002"),
			`--peers: "x" is no id: ids are whole numbers from 1 on`},
		{"peers with a bad address", serveArgs("--peers", "1=127.0.0.1:7001,2=there"),
			`--peers: "there" is no address: write HOST:PORT, as in 127.0.0.1:7001`},
		{"peers twice", serveArgs("--peers", "1=127.0.0.1:7001,n1=127.0.0.1:7002"),
			"--peers names node 1 twice: give every node one address"},
		{"peers at one address", serveArgs("--peers", "1=127.0.0.1:7001,2=127.0.0.1:7001"),
			"--peers gives nodes 1 and 2 the same address 127.0.0.1:7001: every node needs its own"},
		{"peers missing at a first start", serveArgs("--peers", "-"),
			"--peers is missing: --data d holds no node yet, " +
				"and a first start needs every node's address, this one's included, as in " +
				"--peers 1=127.0.0.1:7001,2=127.0.0.1:7002,3=127.0.0.1:7003; " +
				"or --join with the URL of a cluster that runs"},
		{"transport", serveArgs("--transport", "udp"), `--transport is "udp": write tcp or http`},
		{"by hand", append(serveArgs("--transport", "tcp"), "--raft-by-hand"),
			"--raft-by-hand needs --transport http: a person cannot write binary messages"},
		{"half of TLS", serveArgs("--tls-cert", "x"),
			"--tls-cert, --tls-key and --tls-ca belong together: name all three"},
		{"TLS in JSON",
			serveArgs("--transport", "http", "--tls-cert", "x", "--tls-key", "y", "--tls-ca", "z"),
			`--tls-cert needs --transport tcp`},
		{"no certificate", serveArgs("--tls-cert", "no", "--tls-key", "y", "--tls-ca", "z"),
			"--tls-cert and --tls-key: open no: no such file or directory"},
		{"heartbeat", serveArgs("--heartbeat", "1ms"), "--heartbeat is 1ms: at least 10ms is needed"},
		{"election below heartbeat", serveArgs("--election-timeout", "100ms..500ms"),
			"--election-timeout begins at 100ms: it must exceed --heartbeat, 150ms, or followers give up " +
				"a healthy leader"},
		{"election upside down", serveArgs("--election-timeout", "500ms..300ms"),
			"--election-timeout ends at 300ms: it must end above its beginning, 500ms, or votes split for " +
				"ever"},
		{"election no range", serveArgs("--election-timeout", "300ms"),
			`--election-timeout: "300ms" is no range of durations: write MIN..MAX, as in 300ms..500ms`},

		{"dial malformed", serveArgs("--dial", "there"),
			`--dial: "there" is not ID=HOST:PORT, as in 2=127.0.0.1:9002`},
		{"dial oneself", serveArgs("--dial", "1=127.0.0.1:9001"),
			"--dial names node 1, which is this one: name its peers"},
		{"dial a stranger", serveArgs("--dial", "4=127.0.0.1:9001"),
			"--dial names node 4, which --peers does not: name a peer"},
		{"dial twice", serveArgs("--dial", "2=127.0.0.1:9001,n2=127.0.0.1:9002"),
			"--dial names node 2 twice: give it one address"},
		{"advertise", serveArgs("--advertise-http", "127.0.0.1:8001"),
			`--advertise-http is "127.0.0.1:8001": write http://HOST:PORT, as in http://127.0.0.1:8001`},
		{"consistency", []string{"get", "k", "--consistency", "strong"},
			`--consistency is "strong": write linearizable, lease, leader or stale`},
		{"staleness of a linearizable read", []string{"get", "k", "--max-stale", "1s"},
			"--max-stale belongs to --consistency stale: add that, or leave it out"},
		{"negative staleness", []string{"get", "k", "--consistency", "stale", "--max-stale", "-1s"},
			"--max-stale is -1s: give a duration above zero, or leave it out"},

		{"log level", serveArgs("--log-level", "loud"),
			`--log-level is "loud": write debug, info, warn or error`},
		{"snapshot sizes", serveArgs("--snapshot-bytes", "64MB", "--snapshot-rate", "0"),
			`--snapshot-bytes: "64MB" is no size: write 512KiB, 64MiB or 1GiB, or never` + "\nbalsa: " +
				`--snapshot-rate: "0" is no size: write 512KiB, 64MiB or 1GiB`},
		{"dev's log level", []string{"dev", "--log-level", "loud"},
			`--log-level is "loud": write debug, info, warn or error`},

		{"demo's seed", []string{"demo", "--seed", "one"},
			`--seed is "one": write a whole number from 0 on, or 0x and digits`},
		{"demo at two paces", []string{"demo", "--step", "--fast"},
			"--step and --fast exclude each other: the one waits, the other never"},

		{"dev of nobody", []string{"dev", "--nodes", "0"}, "--nodes is 0: choose 1 to 9"},
		{"dev beyond the ports", []string{"dev", "--http-port", "65535"},
			"--http-port is 65535: the ports of 3 nodes must lie from 1 to 65535"},
		{"dev with one port twice", []string{"dev", "--http-port", "7003"},
			"--http-port 7003 and --raft-port 7001 overlap: 3 nodes need 3 ports from each on"},
		{"dev that keeps nothing and stays", []string{"dev", "--ephemeral", "--detach"},
			"--ephemeral and --detach exclude each other: nobody would remove the data at the end"},
		{"dev that keeps and does not", []string{"dev", "--ephemeral", "--data", "d"},
			"--ephemeral and --data exclude each other: the one keeps nothing, the other says where"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			got := command(t, "", c.args...)
			if want := "balsa: " + c.want + "\n"; got.status != exitUsage || got.err != want ||
				got.out != "" {
				t.Errorf("status %d, stdout %q, stderr\n%swant status 2 and\n%s", got.status, got.out,
					got.err, want)
			}
			if left, _ := os.ReadDir("."); len(left) > 0 {
				t.Errorf("a refused command left %v behind", left)
			}
		})
	}
}

// Several mistakes are several sentences: nobody should mend a command line one run at a time.
func TestAllMistakesAtOnce(t *testing.T) {
	got := command(t, "", "serve", "--election-timeout", "x")
	if lines := strings.Count(got.err, "balsa: --"); lines != 4 || got.status != exitUsage {
		t.Errorf("status %d, %d sentences:\n%s", got.status, lines, got.err)
	}
}

// Mistakes that only the machine knows of are found before the data directory is touched.
func TestPortsInUseAreNamed(t *testing.T) {
	t.Chdir(t.TempDir())
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	sentence := " is in use by another program: stop that, or choose another address\n"
	for flag, args := range map[string][]string{
		"--http": serveArgs("--http", address, "--raft", "-", "--peers", "1=127.0.0.1:0"),
		"--raft": serveArgs("--raft", address, "--peers", "1="+address),
	} {
		if got := command(t, "",
			args...); got.status != exitError || got.err != "balsa: "+flag+" "+address+sentence {
			t.Errorf("%s taken: status %d, stderr %q", flag, got.status, got.err)
		}
	}
	_, port, _ := net.SplitHostPort(address)
	got := command(t, "", "dev", "--http-port", port, "--raft-port", "1")
	if got.status != exitError || !strings.Contains(got.err, "port "+port) || strings.Count(got.err,
		"\n") != 1 {
		t.Errorf("dev: status %d, stderr %q", got.status, got.err)
	}
	if left, _ := os.ReadDir("."); len(left) > 0 {
		t.Errorf("a refused start left %v behind", left)
	}
}

func TestADataDirectoryThatIsAFile(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{"file", filepath.Join("file", "below")} {
		got := command(t, "",
			serveArgs("--data", data, "--http", "localhost:0", "--raft", "-", "--peers", "1=127.0.0.1:0")...)
		want := "balsa: --data " + data + " is, or lies below, a file: name a directory\n"
		if got.status != exitError || got.err != want {
			t.Errorf("--data %s: status %d, stderr %q", data, got.status, got.err)
		}
	}
}

// Help and version are data: they go to stdout, with status 0.
func TestHelpGoesToStdout(t *testing.T) {
	for _, args := range [][]string{{}, {"help"}, {"--help"}, {"help", "serve"}, {"serve", "--help"},
		{"version"}, {"version", "-o", "json"}, {"version", "-o", "table"}, {"cluster"},
		{"completion", "bash"}} {
		if got := command(t, "", args...); got.status != exitOK || got.out == "" || got.err != "" {
			t.Errorf("balsa %v: status %d, %d bytes on stdout, stderr %q", args, got.status, len(got.out),
				got.err)
		}
	}
	for _, verb := range []string{"serve", "dev", "cluster", "put", "get", "del", "status", "demo"} {
		if got := command(t, "", "help", verb); !strings.Contains(got.out, "Examples:\n  balsa "+verb) {
			t.Errorf("help %s shows no example:\n%s", verb, got.out)
		}
	}
}

// A canceled context is a person who pressed Ctrl-C, not a mistake on the command line.
func TestExitStatuses(t *testing.T) {
	for want, err := range map[int]error{
		exitOK:          nil,
		exitError:       context.Canceled,
		exitUsage:       os.ErrInvalid, // whatever else cobra complains of
		exitUnavailable: fail(exitUnavailable, "x"),
	} {
		if got := exitStatus(err); got != want {
			t.Errorf("exitStatus(%v) = %d, want %d", err, got, want)
		}
	}
}
