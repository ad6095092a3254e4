package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
	"unicode/utf8"

	"balsa/client"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// maxInput bounds what put reads of a file or of stdin, in bytes. It is above what a node takes, so that a
// value that is too large is refused by the node, in its words, and not cut.
const maxInput = 8 << 20

func putCommand(c *console) *cobra.Command {
	var at endpoints
	var as format
	var ttl time.Duration
	cmd := &cobra.Command{
		Use:   "put KEY [VALUE|@FILE|-]",
		Short: "Store a value under a key",
		Long: `Store a value under a key: the words on the command line, the bytes of a file (@FILE),
or the bytes of standard input (-, or no value at all). A value that begins with @
itself goes in through standard input.

With --ttl the key goes away by itself after that time, unless it is written anew.

It prints the revision of the write. If its answer is lost it is sent again, under a key
by which the cluster knows it: it happens once. Exit status 6 says that the write may
have happened, or may not, and nobody who knows could be reached.`,
		Example: `  balsa put greeting "hello world"
  balsa put picture @photo.jpg
  date | balsa put now
  balsa put session abc --ttl 30s`,
		Args: arguments(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			options, wrong := writeOptions(cmd.Flags(), ttl)
			if err := errors.Join(as.check(), wrong); err != nil {
				return err
			}
			value, err := c.value(args[1:])
			if err != nil {
				return err
			}
			cluster, err := at.client()
			if err != nil {
				return err
			}
			defer cluster.Close()
			var done client.PutResult
			c.patiently(at, func() { done, err = cluster.Put(cmd.Context(), args[0], value, options...) })
			if err != nil {
				return clientError(err)
			}
			return outputError(c.written(as, shownWrite{Key: args[0], Revision: done.Revision,
				Created: &done.Created}, number(done.Revision)))
		},
	}
	at.register(cmd.Flags())
	as.register(cmd.Flags(), "plain")
	cmd.Flags().DurationVar(&ttl, "ttl", 0, "how long the key lives, such as 30s; left out: for good")
	return cmd
}

// writeOptions returns what the client is to do beside writing. No time to live and one of zero are two
// things: the second is a mistake.
func writeOptions(flags *pflag.FlagSet, ttl time.Duration) ([]client.WriteOption, error) {
	switch {
	case !flags.Changed("ttl"):
		return []client.WriteOption{once()}, nil
	case ttl <= 0:
		return nil, fail(exitUsage, "--ttl is %v: give a duration above zero, or leave it out", ttl)
	}
	return []client.WriteOption{once(), client.TTL(ttl)}, nil
}

// once has every write of the command line carried out once under a key of its own, so that it can be sent
// again when its answer is lost.
func once() client.WriteOption { return client.Once("") }

// shownWrite is what a write did, as JSON.
type shownWrite struct {
	Key      string  `json:"key"`
	Revision uint64  `json:"revision"`
	Created  *bool   `json:"created,omitempty"` // of put and incr
	Deleted  *uint32 `json:"deleted,omitempty"` // of del
	Value    *int64  `json:"value,omitempty"`   // of incr
}

// written prints what a write did: the one number that matters, or all of it.
func (c *console) written(as format, done shownWrite, plain string) error {
	switch as {
	case "json":
		return c.json(done)
	case "table":
		head, last := "DELETED", plain
		switch {
		case done.Value != nil:
			head = "VALUE"
		case done.Created != nil:
			head, last = "CREATED", strconv.FormatBool(*done.Created)
		}
		return c.table(as, []string{"KEY", "REVISION", head},
			[][]string{{strconv.Quote(done.Key), number(done.Revision), last}})
	}
	_, err := fmt.Fprintln(c.out, plain)
	return err
}

// value reads what put is to store.
func (c *console) value(args []string) ([]byte, error) {
	if len(args) == 1 && args[0] != "-" && (args[0] == "" || args[0][0] != '@') {
		return []byte(args[0]), nil
	}
	from := c.in
	if len(args) == 1 && args[0] != "-" {
		file, err := os.Open(args[0][1:])
		if err != nil {
			return nil, fail(exitUsage,
				"%w: name a file that can be read, or give the value through standard input", err)
		}
		defer file.Close()
		from = file
	}
	value, err := io.ReadAll(io.LimitReader(from, maxInput+1))
	if err != nil {
		return nil, fail(exitError, "reading the value: %w", err)
	}
	if len(value) > maxInput {
		return nil, fail(exitUsage, "the value has more than %d bytes: no node takes that much", maxInput)
	}
	return value, nil
}

func getCommand(c *console) *cobra.Command {
	var at endpoints
	var as format
	var reading reading
	cmd := &cobra.Command{
		Use:   "get KEY",
		Short: "Print the value of a key",
		Long: `Print the value of a key. Plain output is the value's bytes and nothing else; on a
terminal a line break follows. Exit status 3 says that there is no such key.

A read is linearizable: it sees every write that was acknowledged to anybody before.
--consistency lease saves the leader's question to the others whether it still leads, and
is as good if every clock runs true within the bound that the cluster's configuration
states; --consistency leader saves it too, and may answer with what was overwritten;
--consistency stale takes what the node at hand has, without a leader too. Whoever knows
the revision of a write can ask for at least that (--min-revision).`,
		Example: `  balsa get greeting
  balsa get picture > photo.jpg
  balsa get greeting -o json
  balsa get greeting --consistency stale --max-stale 500ms`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			options, wrong := reading.options()
			if err := errors.Join(as.check(), wrong); err != nil {
				return err
			}
			cluster, err := at.client()
			if err != nil {
				return err
			}
			defer cluster.Close()
			var item client.Item
			c.patiently(at, func() { item, err = cluster.Get(cmd.Context(), args[0], options...) })
			if err != nil {
				return clientError(err)
			}
			return outputError(c.item(as, args[0], item))
		},
	}
	at.register(cmd.Flags())
	reading.register(cmd.Flags())
	as.register(cmd.Flags(), "plain")
	return cmd
}

// shownItem is an item as JSON. The value is text when it is UTF-8, else base64.
type shownItem struct {
	Key            string  `json:"key"`
	Value          *string `json:"value,omitempty"`
	ValueBase64    *string `json:"value_base64,omitempty"`
	CreateRevision uint64  `json:"create_revision"`
	ModRevision    uint64  `json:"mod_revision"`
	Version        uint64  `json:"version"`
	Revision       uint64  `json:"revision"`    // of the state that was read
	Consistency    string  `json:"consistency"` // what the answer promises
	ServedBy       uint64  `json:"served_by"`

	Expires *time.Time `json:"expires,omitempty"` // when the key goes away by itself
}

func (c *console) item(as format, key string, item client.Item) error {
	switch as {
	case "json":
		shown := shownItem{Key: key, CreateRevision: item.CreateRevision, ModRevision: item.ModRevision,
			Version: item.Version, Revision: item.Revision, Consistency: item.Consistency,
			ServedBy: item.ServedBy}
		if !item.Expires.IsZero() {
			shown.Expires = &item.Expires
		}
		text := string(item.Value)
		if utf8.Valid(item.Value) {
			shown.Value = &text
		} else {
			text = base64.StdEncoding.EncodeToString(item.Value)
			shown.ValueBase64 = &text
		}
		return c.json(shown)
	case "table":
		row := []string{strconv.Quote(key), strconv.Quote(string(item.Value)),
			number(item.ModRevision), number(item.Version)}
		return c.table(as, []string{"KEY", "VALUE", "REVISION", "VERSION"}, [][]string{row})
	}
	value := item.Value
	if isTerminal(c.out) {
		value = append(value, '\n')
	}
	_, err := c.out.Write(value)
	return err
}

func delCommand(c *console) *cobra.Command {
	var at endpoints
	var as format
	cmd := &cobra.Command{
		Use:   "del KEY",
		Short: "Remove a key",
		Long: `Remove a key. It prints how many keys were removed: 1, or 0 if there was none, which is
no error. If the answer is lost it is asked for again, as put does. Exit status 6 says that
the key may have been removed, or may not.`,
		Example: "  balsa del greeting",
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := as.check(); err != nil {
				return err
			}
			cluster, err := at.client()
			if err != nil {
				return err
			}
			defer cluster.Close()
			var done client.DeleteResult
			c.patiently(at, func() { done, err = cluster.Delete(cmd.Context(), args[0], once()) })
			if err != nil {
				return clientError(err)
			}
			return outputError(c.written(as, shownWrite{Key: args[0], Revision: done.Revision,
				Deleted: &done.Deleted}, number(uint64(done.Deleted))))
		},
	}
	at.register(cmd.Flags())
	as.register(cmd.Flags(), "plain")
	return cmd
}
