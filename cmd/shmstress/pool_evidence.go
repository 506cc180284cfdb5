package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// gather keeps as evidence how things are.
func (r *poolRun) gather() {
	// Workers may be stopped with locks in their hands: nothing is opened but by
	// the system's calls.
	files, err := filepath.Glob(filepath.Join(r.Dir, r.name+".*"))
	if err != nil {
		r.status.say(fmt.Sprintf("evidence: %v", err))
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil {
			r.dump(filepath.Base(f)+".segment", b)
		}
	}
	var b strings.Builder
	for _, s := range r.sides {
		fmt.Fprintf(&b, "%s: %+v\n\n", s.name, s.pool.Stats())
	}
	r.dump("pools.txt", []byte(b.String()))
	r.dumpVerdict()
	if vs, _ := r.verdict(); len(vs) > 0 && vs[0].Kind == hang {
		r.interrogate()
	}
}

// interrogate ends the workers so that they print their goroutines.
func (r *poolRun) interrogate() {
	asked := r.victims()
	for _, v := range asked {
		v.(*poolVictim).withProcess(func(p *os.Process) {
			p.Signal(sigCont)
			p.Signal(sigQuit)
		})
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); <-tick.C {
		if !slices.ContainsFunc(asked, func(v victim) bool { return v.(*poolVictim).withProcess(func(*os.Process) {}) }) {
			return
		}
	}
}
