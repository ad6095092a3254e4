package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"balsa/client"

	"github.com/spf13/cobra"
)

// statusTimeout bounds how long status waits for a node: those that are up answer in milliseconds.
const statusTimeout = time.Second

func statusCommand(c *console) *cobra.Command {
	var at endpoints
	var as format
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what each node knows of itself and of the cluster",
		Long: `Ask each endpoint for its status. Exit status 5 says that no node answered, or that the
cluster stands still because too many nodes repair themselves after damage; a node that
does not answer while others do is a line of the table. SNAPSHOT is the last entry that the
node's newest snapshot includes, or that it is receiving or restoring one; 3@120 is how far
the leader knows node 3 to have come.`,
		Example: `  balsa status
  balsa status -o json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := as.check(); err != nil {
				return err
			}
			cluster, err := at.client()
			if err != nil {
				return err
			}
			defer cluster.Close()
			return c.status(as, askAll(cmd.Context(), cluster))
		},
	}
	at.registerEach(cmd.Flags())
	as.register(cmd.Flags(), "table")
	return cmd
}

// report is what one endpoint said, or why it said nothing.
type report struct {
	Endpoint string         `json:"endpoint"`
	Status   *client.Status `json:"status,omitempty"`
	Error    string         `json:"error,omitempty"`

	failure error
}

// askAll asks all endpoints at once, so that one that hangs does not delay the rest.
func askAll(ctx context.Context, cluster *client.Client) []report {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	reports := make([]report, len(cluster.Endpoints()))
	var asked sync.WaitGroup
	for i, endpoint := range cluster.Endpoints() {
		asked.Go(func() {
			reports[i] = report{Endpoint: endpoint}
			status, err := cluster.Status(ctx, endpoint)
			if err != nil {
				reports[i].Error, reports[i].failure = err.Error(), err
				return
			}
			reports[i].Status = &status
		})
	}
	asked.Wait()
	return reports
}

// status prints the reports, and fails when there is none.
func (c *console) status(as format, reports []report) error {
	var err error
	switch as {
	case "json":
		err = c.json(reports)
	case "plain":
		err = c.table(as, nil, statusRows(reports))
	default:
		err = c.statusTable(reports)
	}
	if err != nil {
		return outputError(err)
	}
	for _, r := range reports {
		if r.Status != nil {
			return halted(reports)
		}
	}
	return clientError(reports[0].failure)
}

// halted is why the cluster stands still, when too many nodes repair themselves after damage and none leads.
func halted(reports []report) error {
	why := ""
	for _, r := range reports {
		switch {
		case r.Status == nil:
		case leads(r.Status):
			return nil // what others say is older
		case r.Status.Repair != nil && r.Status.Repair.Halted != "":
			why = r.Status.Repair.Halted
		}
	}
	if why == "" {
		return nil
	}
	return fail(exitUnavailable, "the cluster stands still: %s", why)
}

// statusTable prints a row for each node, within the 80 columns of a terminal, and below them what would be
// too long for it.
func (c *console) statusTable(reports []report) error {
	rows := statusRows(reports)
	for i, row := range rows {
		row[0] = strings.TrimPrefix(row[0], "http://")
		rows[i] = row[:len(row)-1] // peers are told of below
	}
	head := strings.Fields("ENDPOINT NODE ROLE TERM LEADER COMMIT APPLIED SNAPSHOT KEYS")
	err := c.table("table", head, rows)
	for _, r := range reports {
		for _, note := range r.notes() {
			if err == nil {
				_, err = fmt.Fprintln(c.out, note)
			}
		}
	}
	return err
}

// statusRows shows the nodes. A leader's row ends with how far each peer has come.
func statusRows(reports []report) (rows [][]string) {
	arriving := arriving(reports)
	for _, r := range reports {
		if r.Status == nil {
			rows = append(rows, append([]string{r.Endpoint, "-", "unreachable"},
				strings.Fields("- - - - - - -")...))
			continue
		}
		s := r.Status
		leader, peers := "-", "-"
		if s.Leader != 0 {
			leader = number(s.Leader)
		}
		if leads(s) && len(s.Peers) > 0 {
			peers = peersAt(s.Peers)
		}
		rows = append(rows, []string{r.Endpoint, number(s.ID), r.role(), number(s.Term), leader,
			number(s.Commit), number(s.Applied), snapshotCell(s, arriving[s.ID]), number(s.Keys), peers})
	}
	return rows
}

func peersAt(peers []client.Peer) string {
	var at []string
	for _, p := range peers {
		at = append(at, number(p.ID)+"@"+number(p.Match))
	}
	return strings.Join(at, " ")
}

// arriving are the snapshots that the latest leader sends, by who receives them: a follower's own status does
// not know of one before it is installed.
func arriving(reports []report) map[uint64]*client.Installing {
	term, sent := uint64(0), map[uint64]*client.Installing{}
	for _, r := range reports {
		if r.Status == nil || !leads(r.Status) || r.Status.Term < term {
			continue
		}
		term, sent = r.Status.Term, map[uint64]*client.Installing{}
		for _, p := range r.Status.Peers {
			sent[p.ID] = p.Installing
		}
	}
	return sent
}

// snapshotCell is the last entry of a node's newest snapshot, or what it does with one at the moment.
func snapshotCell(s *client.Status, arriving *client.Installing) string {
	switch {
	case arriving != nil && arriving.Offset < arriving.Size:
		return "receiving"
	case arriving != nil && arriving.Size > 0, s.Applied < s.Snapshot.Index:
		return "restoring"
	case s.Snapshot.Index == 0:
		return "-"
	}
	return number(s.Snapshot.Index)
}

// notes are what a table has no room for, a line each.
func (r report) notes() (notes []string) {
	s := r.Status
	if s == nil {
		return nil
	}
	if leads(s) && len(s.Peers) > 0 {
		notes = append(notes, fmt.Sprintf("node %d leads, and knows its peers at %s", s.ID, peersAt(s.Peers)))
	}
	if s.Joint {
		notes = append(notes, fmt.Sprintf("node %d knows that the voters change: configuration %d",
			s.ID, s.Configuration))
	}
	if s.TransferTo != 0 {
		notes = append(notes, fmt.Sprintf("node %d hands over to node %d", s.ID, s.TransferTo))
	}
	for _, p := range s.Peers {
		if sent := p.Installing; sent != nil {
			notes = append(notes, fmt.Sprintf("node %d is sending node %d a snapshot: %d %%", s.ID, p.ID,
				sent.Offset*100/max(sent.Size, 1)))
		}
	}
	if r := s.Repair; r != nil && r.On {
		notes = append(notes, repairNote(s.ID, r.Floor))
	}
	if s.SnapshotError != "" {
		notes = append(notes, fmt.Sprintf("node %d could not take a snapshot: %s", s.ID, s.SnapshotError))
	}
	return notes
}

// repairNote says what a node waits for that repairs itself.
func repairNote(id, floor uint64) string {
	note := fmt.Sprintf("node %d repairs itself after damage of its disk, and counts for nothing yet", id)
	if floor > 0 {
		note += fmt.Sprintf(": it returns in a term after %d", floor)
	}
	return note
}

func leads(s *client.Status) bool { return s.Leader == s.ID && s.ID != 0 }

// role is what a node that answered is.
func (r report) role() string {
	if r.Status.Stopped != "" {
		return "stopped"
	}
	if r.Status.Repair != nil && r.Status.Repair.On {
		return "repairing"
	}
	if s := r.Status; s.Role == "follower" && s.Standing != "" && s.Standing != client.RoleVoter {
		return s.Standing // a learner, say: that it follows goes without saying
	}
	return r.Status.Role
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }
