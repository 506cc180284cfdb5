package main

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/pool"
)

func newTestJury(retries int) *jury {
	j := newJury(newCourt(), "test", retries, &sheet{head: new(sheetHead), wills: make([]workerWill, 4)})
	j.sentence(5)
	j.sheet.bequeath("ring.claim") // of the worker with this process's ID
	return j
}

func TestJury(t *testing.T) {
	const sigkill = syscall.SIGKILL
	const retries = 2
	remote := func(text string) error { return &pool.RemoteError{Text: text} }
	death := func(worker, attempt int) *pool.WorkerError {
		return &pool.WorkerError{Worker: worker, PID: 1, Attempt: attempt, ExitCode: -9, Signal: sigkill}
	}
	for name, tt := range map[string]struct {
		how     behaviour
		retries int
		runs    runs
		err     error
		forge   func(a *answer)
		want    string // kind of the violation; "" for none
	}{
		"result":          {how: compute, runs: runs{1, 1}},
		"another result":  {how: compute, runs: runs{1, 1}, forge: func(a *answer) { a.ID++ }, want: wrong},
		"wrong sum":       {how: compute, runs: runs{1, 1}, forge: func(a *answer) { a.Sum++ }, want: wrong},
		"wrong payload":   {how: nap, runs: runs{1, 1}, forge: func(a *answer) { a.Payload = append([]byte{1}, a.Payload[1:]...) }, want: wrong},
		"never ran":       {how: compute, runs: runs{0, 0}, want: wrong},
		"never ended":     {how: compute, runs: runs{1, 0}, want: wrong},
		"ran twice":       {how: compute, runs: runs{2, 1}, want: repeated},
		"retried":         {how: compute, retries: retries, runs: runs{3, 1}},
		"retried more":    {how: compute, retries: retries, runs: runs{4, 1}, want: repeated},
		"error":           {how: refuse, runs: runs{1, 1}, err: remote(refusal(9))},
		"another error":   {how: refuse, runs: runs{1, 1}, err: remote(refusal(8)), want: wrong},
		"undue error":     {how: compute, runs: runs{1, 1}, err: remote(refusal(9)), want: wrong},
		"undue result":    {how: refuse, runs: runs{1, 1}, want: wrong},
		"panic":           {how: scream, runs: runs{1, 1}, err: &pool.PanicError{Value: cry(9)}},
		"another panic":   {how: scream, runs: runs{1, 1}, err: &pool.PanicError{Value: "nil"}, want: wrong},
		"not decoded":     {how: compute, runs: runs{}, err: &pool.RemoteError{Err: pool.ErrArgument}, want: wrong},
		"closed":          {how: compute, runs: runs{}, err: pool.ErrClosed, want: wrong},
		"killed":          {how: compute, runs: runs{1, 0}, err: death(5, 1)},
		"killed itself":   {how: compute, runs: runs{1, 0}, err: &pool.WorkerError{Worker: 6, PID: os.Getpid(), Attempt: 1, Signal: sigkill}},
		"not killed":      {how: compute, runs: runs{1, 0}, err: death(7, 1), want: unearned},
		"died otherwise":  {how: compute, runs: runs{1, 0}, err: &pool.WorkerError{Worker: 5, Attempt: 1, ExitCode: 2}, want: unearned},
		"exit":            {how: exits, runs: runs{1, 0}, err: &pool.WorkerError{Worker: 8, Attempt: 1, ExitCode: exitCode}},
		"other exit":      {how: exits, runs: runs{1, 0}, err: &pool.WorkerError{Worker: 8, Attempt: 1, ExitCode: 1}, want: unearned},
		"crash":           {how: crashes, runs: runs{1, 0}, err: &pool.WorkerError{Worker: 8, Attempt: 1, ExitCode: 2, Crash: "panic: " + cry(9)}},
		"other crash":     {how: crashes, runs: runs{1, 0}, err: &pool.WorkerError{Worker: 8, Attempt: 1, ExitCode: 2, Crash: "panic: " + cry(8)}, want: unearned},
		"deadly, no end":  {how: killsOwn, runs: runs{1, 1}, want: wrong},
		"deadly, retried": {how: killsOwn, retries: retries, runs: runs{2, 1}},
		"given up":        {how: compute, retries: retries, runs: runs{1, 0}, err: death(5, 1), want: unearned},
		"out of retries":  {how: compute, retries: retries, runs: runs{3, 0}, err: death(5, 3)},
		"wrapped":         {how: compute, runs: runs{1, 0}, err: fmt.Errorf("apply: %w", death(5, 1))},
	} {
		t.Run(name, func(t *testing.T) {
			j := newTestJury(tt.retries)
			x := &task{ID: 9, How: tt.how, Payload: []byte("payload")}
			var a answer
			if tt.err == nil {
				a = x.answer()
			}
			if tt.forge != nil {
				tt.forge(&a)
			}
			j.judge(x, tt.runs, a, tt.err)
			wantVerdict(t, j.court, tt.want)
		})
	}
}

func wantVerdict(t *testing.T, c *court, want string) {
	t.Helper()
	vs, n := c.verdict()
	if want == "" && n != 0 || want != "" && (n != 1 || vs[0].Kind != want) {
		t.Errorf("%d violations, want %q: %+v", n, want, vs)
	}
}

// TestJuryCountsDeaths expects each death to cost one task at most.
func TestJuryCountsDeaths(t *testing.T) {
	died := &pool.WorkerError{Worker: 5, Attempt: 1, Signal: syscall.SIGKILL}
	j := newTestJury(0)
	j.judge(&task{ID: 1}, runs{1, 0}, answer{}, died)
	wantVerdict(t, j.court, "")
	j.judge(&task{ID: 2}, runs{1, 0}, answer{}, died)
	wantVerdict(t, j.court, unearned)

	j = newTestJury(0)
	for range 2 { // one was killed, one has killed itself
		j.judgeMissing(&task{}, runs{1, 0})
	}
	j.weigh()
	wantVerdict(t, j.court, "")
	j.judgeMissing(&task{}, runs{1, 0})
	j.weigh()
	wantVerdict(t, j.court, unearned)

	j = newTestJury(0)
	j.judgeMissing(&task{}, runs{2, 0})
	wantVerdict(t, j.court, repeated)

	j = newTestJury(manyRetries)
	j.judgeMissing(&task{}, runs{1, 0})
	wantVerdict(t, j.court, unearned)
	if fates, all := j.outcomes(); all != 1 || fates[fateDeath] != 1 {
		t.Errorf("%v", fates)
	}
}

func TestJuryForgets(t *testing.T) {
	set := map[int]bool{}
	for n := range 10 * mostRemembered {
		remember(set, n)
		if !set[n] || len(set) > mostRemembered || n > 100 && !set[n-100] {
			t.Fatalf("at %d: %d remembered", n, len(set))
		}
	}
}

// TestCourtKeepsTheFirst expects a verdict of bounded size that counts all.
func TestCourtKeepsTheFirst(t *testing.T) {
	c := newCourt()
	for i := range 3 * mostViolations {
		c.charge(wrong, "%d", i)
	}
	vs, n := c.verdict()
	if n != 3*mostViolations || len(vs) != mostViolations || vs[0].Text != "0" {
		t.Errorf("%d, %d, %+v", n, len(vs), vs[0])
	}
	select {
	case <-c.first:
	default:
		t.Error("the first violation was not announced")
	}
}
