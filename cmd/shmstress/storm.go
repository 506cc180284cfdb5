package main

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// A victim is a process that a storm can hit.
type victim interface {
	kill()               // counts it
	stop() (goOn func()) // nil: there was nothing to stop
}

// A storm kills and stops victims at random: two Poisson processes, whose
// rates are for all victims together. Times and victims follow from the seed.
type storm struct {
	*scene
	rand    *rand.Rand
	victims func() []victim
	stopped sync.WaitGroup
}

// storm returns a storm with the rates that were asked for.
func (s *scene) storm(victims func() []victim) *storm {
	return &storm{scene: s, rand: rand.New(rand.NewPCG(s.Seed, 0)), victims: victims}
}

// shortestStop and longestStop bound how long a victim is stopped: each order
// of magnitude between them is as likely as the others.
const (
	shortestStop = time.Millisecond
	longestStop  = time.Second
)

// blow kills and stops until ctx is done. When it returns, nobody is stopped.
func (s *storm) blow(ctx context.Context) {
	defer s.stopped.Wait()
	rate := s.KillRate + s.StopRate
	if rate <= 0 {
		<-ctx.Done()
		return
	}
	next := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for {
		next = next.Add(time.Duration(s.rand.ExpFloat64() / rate * float64(time.Second)))
		timer.Reset(time.Until(next))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		kill := s.rand.Float64()*rate < s.KillRate
		choice, length := s.rand.Uint64(), s.rand.Float64()
		all := s.victims()
		if len(all) == 0 {
			continue
		}
		v := all[choice%uint64(len(all))]
		if kill {
			v.kill()
		} else if goOn := v.stop(); goOn != nil {
			s.counts.stopped.Add(1)
			s.stopped.Go(func() { wait(ctx, stopFor(length)); goOn() })
		}
	}
}

// stopFor returns how long a stop takes, by a number from 0 to 1.
func stopFor(u float64) time.Duration {
	return time.Duration(float64(shortestStop) * math.Pow(float64(longestStop/shortestStop), u))
}

// wait waits for a time, or until ctx is done.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
