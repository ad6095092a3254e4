package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Backup is what a node has sent of its state.
type Backup struct {
	Index, Term uint64 // of the last entry that it includes
	Bytes       int64
	Digest      string // SHA-256 of all bytes, in hexadecimal; the node said the same
	Node        uint64 // whose state it is
	Endpoint    string
}

// Backup writes a backup of the state of the first node that can give one, as it comes: a file that says
// itself what it is and of which cluster, with checksums, from which balsa restore founds another cluster. By
// default it includes everything that was acknowledged to anybody before the call; options may ask for less.
// Rate bounds the bytes in a second; 0 is no bound. The context bounds all of it, the client's patience and
// the time of a try only how long it takes until the first byte.
//
// Once bytes have come no other node is asked: an error says then that what was written is of no use. It is
// an *Error, or that of to.
func (c *Client) Backup(
	ctx context.Context, to io.Writer, rate int64, options ...ReadOption,
) (Backup, error) {
	path := PathBackup + c.query(options)
	if rate > 0 {
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		path += separator + "rate=" + strconv.FormatInt(rate, 10)
	}
	call := call{method: http.MethodGet, path: path}
	began := time.Now()
	for round := 0; ; round++ {
		var told *Error
		for _, endpoint := range c.Endpoints() {
			response, err := c.begin(ctx, endpoint, call)
			if err == nil {
				return receive(endpoint, response, to)
			}
			told = call.moreTelling(told, err)
			if !call.mayRepeat(err) {
				return Backup{}, err
			}
		}
		if time.Since(began) >= c.patience || !pause(ctx, pauseAfter(round, told)) {
			return Backup{}, told
		}
	}
}

// begin sends a request whose answer has no bounded length, and returns that once its head is there.
func (c *Client) begin(ctx context.Context, endpoint string, call call) (*http.Response, *Error) {
	ctx, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(writeTry, cancel) // until the head is there
	request, err := newRequest(ctx, endpoint, call)
	if err != nil {
		cancel()
		return nil, &Error{Code: CodeBadRequest, Message: err.Error(), Outcome: NotApplied,
			Endpoint: endpoint, Cause: err}
	}
	response, err := c.http.Do(request)
	if err != nil {
		cancel()
		return nil, unreachable(endpoint, err)
	}
	if !timer.Stop() || response.StatusCode != http.StatusOK {
		defer cancel()
		defer response.Body.Close()
		body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
		if err != nil {
			return nil, broken(call, endpoint, err)
		}
		_, refusal := judge(call, endpoint, response, body)
		if refusal == nil {
			refusal = foreign(call, endpoint, response.StatusCode, "the answer is no backup")
		}
		return nil, refusal
	}
	response.Body = ended{response.Body, cancel}
	return response, nil
}

// ended is a body that gives the context of its request back when it is closed.
type ended struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (e ended) Close() error {
	defer e.cancel()
	return e.ReadCloser.Close()
}

// receive takes a backup in and holds the node's digest against that of what has come.
func receive(endpoint string, r *http.Response, to io.Writer) (Backup, error) {
	defer r.Body.Close()
	b := Backup{Endpoint: endpoint}
	b.Node, _ = strconv.ParseUint(r.Header.Get(HeaderServedBy), 10, 64)
	b.Index, _ = strconv.ParseUint(r.Header.Get(HeaderBackupIndex), 10, 64)
	b.Term, _ = strconv.ParseUint(r.Header.Get(HeaderBackupTerm), 10, 64)
	sum, from := sha256.New(), &source{from: r.Body}
	var err error
	b.Bytes, err = io.Copy(io.MultiWriter(to, sum), from)
	if from.err != nil {
		return b, broken(call{}, endpoint, from.err)
	}
	if err != nil {
		return b, err
	}
	b.Digest = hex.EncodeToString(sum.Sum(nil))
	switch said := r.Trailer.Get(HeaderDigest); {
	case said == "":
		return b, broken(call{}, endpoint, fmt.Errorf("the backup ended without its digest"))
	case said != "sha-256="+b.Digest:
		return b, broken(call{}, endpoint, fmt.Errorf("the backup has the digest sha-256=%s, not %s, "+
			"which the node has sent", b.Digest, said))
	}
	return b, nil
}

// source remembers what went wrong with reading: with writing is another matter.
type source struct {
	from io.Reader
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// Check has the cluster compare the states of all its members at one index, where they must be equal byte for
// byte. When they differ the error is an *Error of CodeMismatch, and what the members said is there all the
// same. The node that is asked may take as long as it ever does.
func (c *Client) Check(ctx context.Context) (CheckBody, error) {
	a, err := c.do(ctx, call{method: http.MethodGet, path: PathCheck, long: true})
	if err != nil {
		if e, is := err.(*Error); is && e.Check != nil {
			return *e.Check, err
		}
		return CheckBody{}, err
	}
	var body CheckBody
	if err := json.Unmarshal(a.body, &body); err != nil {
		return CheckBody{}, foreign(call{}, a.endpoint, http.StatusOK, "the answer is no comparison")
	}
	return body, nil
}
