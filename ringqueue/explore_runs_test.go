//go:build faultpoints

package ringqueue

import (
	"os"
	"testing"
)

// exploreEnv makes TestExplore search all scenarios, without a limit.
const exploreEnv = "SHMKIT_EXPLORE"

// scenarios are rings of 2 or 4 blocks with 2 bits of lap tag, most of them just
// before the tag wraps around. Those marked full take minutes each.
var scenarios = []scenario{
	{name: "put and get", blocks: 4, lapBits: 2, start: 4, scripts: []string{"put2", "get get"}, deaths: 1},
	{name: "tag wraps", blocks: 4, lapBits: 2, start: 12, scripts: []string{"put2 put put2", "get get"}},
	{name: "two consumers, two deaths", blocks: 4, lapBits: 2, start: 4, prefill: []uint64{1}, scripts: []string{"get", "get"}, deaths: 2},
	{name: "put, get and requeue", blocks: 4, lapBits: 2, start: 12, prefill: []uint64{1}, scripts: []string{"put", "get", "nack"}},
	{name: "two producers", blocks: 4, lapBits: 2, start: 12, scripts: []string{"put2", "put", "get"}},
	{name: "runs", blocks: 4, lapBits: 2, start: 4, prefill: []uint64{1, 1}, scripts: []string{"run", "run"}, deaths: 1},
	{name: "aborts", blocks: 4, lapBits: 2, start: 4, scripts: []string{"abort", "put2", "get"}},
	{name: "batches", blocks: 4, lapBits: 2, start: 12, scripts: []string{"batch", "batch", "run"}},
	{name: "batch and death", blocks: 4, lapBits: 2, start: 12, scripts: []string{"batch3", "run get"}, deaths: 1},
	{name: "committed short", blocks: 4, lapBits: 2, start: 12, scripts: []string{"short", "get"}, deaths: 1},
	{name: "mirror", blocks: 4, lapBits: 2, start: 12, mirror: true, prefill: []uint64{1, 1, 1}, scripts: []string{"put2", "get get"}, deaths: 1},
	{name: "one item at most", blocks: 4, lapBits: 2, start: 4, maxItems: 1, scripts: []string{"put put", "get"}, deaths: 1},
	{name: "poison", blocks: 4, lapBits: 2, start: 4, poison: 2, prefill: []uint64{1}, scripts: []string{"nack", "get"}, deaths: 1},
	{name: "length", blocks: 4, lapBits: 2, start: 4, prefill: []uint64{1}, scripts: []string{"nack", "len"}, deaths: 1},
	{name: "shutdown", blocks: 4, lapBits: 2, start: 4, scripts: []string{"put", "shut", "get get"}},
	{name: "sole producer and consumer", blocks: 4, lapBits: 2, start: 12, soleProducer: true, soleConsumer: true, scripts: []string{"sput2 sbatch", "srun sget"}},
	{name: "sole, death", blocks: 4, lapBits: 2, start: 12, soleProducer: true, soleConsumer: true, scripts: []string{"sput", "sget"}, deaths: 1},
	{name: "sole, reserve", blocks: 4, lapBits: 2, start: 12, soleProducer: true, soleConsumer: true, scripts: []string{"sclaim sabort", "snack sget"}},
	{name: "sole, series", blocks: 4, lapBits: 2, start: 12, soleProducer: true, soleConsumer: true, scripts: []string{"sbatch sbatch", "sseries sseries"}},
	{name: "sole consumer, aborts", blocks: 4, lapBits: 2, start: 12, soleConsumer: true, scripts: []string{"abort abort put", "sget sget"}},
	{name: "sole, shutdown", blocks: 4, lapBits: 2, start: 4, soleProducer: true, soleConsumer: true, scripts: []string{"sput sput", "shut", "srun"}},

	{name: "overtaken", full: true, blocks: 2, lapBits: 2, start: 6, prefill: []uint64{1, 1}, scripts: []string{"put", "get", "get"}},
	{name: "sole, shutdown, death", blocks: 4, lapBits: 2, start: 4, soleProducer: true, soleConsumer: true, scripts: []string{"sput", "shut", "sget"}, deaths: 1},
	{name: "for ever, sole, one block", blocks: 2, lapBits: 2, start: 2, rolling: true, soleProducer: true, soleConsumer: true, scripts: []string{"sput", "sget"}},

	{name: "put and get, long", full: true, blocks: 4, lapBits: 2, start: 4, scripts: []string{"put put2", "get get"}, deaths: 1},
	{name: "tag wraps, long", full: true, blocks: 4, lapBits: 2, start: 12, scripts: []string{"put2 put put2", "get get get"}},
	{name: "runs, long", full: true, blocks: 4, lapBits: 2, start: 4, prefill: []uint64{1, 1, 1}, scripts: []string{"run", "run", "put"}},
	{name: "aborts, long", full: true, blocks: 4, lapBits: 2, start: 4, scripts: []string{"abort put", "put2", "get"}},
	{name: "mirror, long", full: true, blocks: 4, lapBits: 2, start: 12, mirror: true, prefill: []uint64{1, 1, 1}, scripts: []string{"put2 put2", "get get"}, deaths: 1},
	{name: "two producers, death", full: true, blocks: 4, lapBits: 2, start: 12, scripts: []string{"put2", "put", "get"}, deaths: 1},
	{name: "two producers, long", full: true, blocks: 4, lapBits: 2, start: 12, scripts: []string{"put2 put", "put2", "get get"}},
	{name: "two consumers, death", full: true, blocks: 4, lapBits: 2, start: 4, prefill: []uint64{1, 1}, scripts: []string{"put", "get", "nack"}, deaths: 1},
	{name: "batches and death", full: true, blocks: 4, lapBits: 2, start: 12, scripts: []string{"batch3 batch", "run get"}, deaths: 1},
	{name: "committed short, long", full: true, blocks: 4, lapBits: 2, start: 12, scripts: []string{"short put", "get get"}, deaths: 1},
	{name: "one item at most, two producers", full: true, blocks: 4, lapBits: 2, start: 4, maxItems: 1, scripts: []string{"put", "put", "get"}, deaths: 1},
	{name: "poison, three", full: true, blocks: 4, lapBits: 2, start: 4, poison: 2, prefill: []uint64{1}, scripts: []string{"nack", "nack", "put"}, deaths: 1},
	{name: "length, three", full: true, blocks: 4, lapBits: 2, start: 4, prefill: []uint64{1}, scripts: []string{"nack get", "len", "abort"}},
	{name: "shutdown, death", full: true, blocks: 4, lapBits: 2, start: 4, scripts: []string{"put put", "shut", "get get"}, deaths: 1},
	{name: "sole, long", full: true, blocks: 4, lapBits: 2, start: 12, soleProducer: true, soleConsumer: true, scripts: []string{"sput2 sbatch sput", "srun sget sseries"}, deaths: 1},
	{name: "sole, two deaths", full: true, blocks: 4, lapBits: 2, start: 12, soleProducer: true, soleConsumer: true, scripts: []string{"sput sbatch", "srun sget"}, deaths: 2},
	{name: "sole, reserve, death", full: true, blocks: 4, lapBits: 2, start: 12, soleProducer: true, soleConsumer: true, scripts: []string{"sclaim sabort sput", "sget snack sget"}, deaths: 1},
	{name: "sole, shutdown, long", full: true, blocks: 4, lapBits: 2, start: 4, soleProducer: true, soleConsumer: true, scripts: []string{"sput sbatch", "shut", "sget srun"}},
	{name: "sole, one item more", full: true, blocks: 4, lapBits: 2, start: 4, soleProducer: true, soleConsumer: true, maxItems: 2, scripts: []string{"sput sbatch sput", "sget srun sget"}, deaths: 1},
	{name: "sole producer, two consumers", full: true, blocks: 4, lapBits: 2, start: 12, soleProducer: true, scripts: []string{"sput sbatch", "get", "run"}, deaths: 1},
	{name: "two producers, sole consumer", full: true, blocks: 4, lapBits: 2, start: 12, soleConsumer: true, scripts: []string{"put", "abort", "sget srun"}, deaths: 1},
	{name: "for ever", full: true, blocks: 2, lapBits: 2, start: 2, rolling: true, scripts: []string{"put", "get"}},
	{name: "for ever, death", full: true, blocks: 2, lapBits: 2, start: 2, rolling: true, scripts: []string{"put", "get"}, deaths: 1},
	{name: "for ever, two sizes", full: true, blocks: 4, lapBits: 2, start: 4, rolling: true, scripts: []string{"put put2", "get"}},
	{name: "for ever, sole", full: true, blocks: 4, lapBits: 2, start: 4, rolling: true, soleProducer: true, soleConsumer: true, scripts: []string{"sput sput2 sbatch", "sget srun"}},
	{name: "for ever, sole, death", full: true, blocks: 4, lapBits: 2, start: 4, rolling: true, soleProducer: true, soleConsumer: true, scripts: []string{"sput sput2 sbatch", "sget srun"}, deaths: 1},
}

// TestExplore goes through every interleaving of each scenario.
func TestExplore(t *testing.T) {
	limit := 1_500_000
	for _, s := range scenarios {
		if s.full && os.Getenv(exploreEnv) == "" {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			report := search(t, s, limit)
			t.Log(report)
			if !report.Complete && !s.full {
				t.Errorf("not all states seen: those of the default run should be few enough")
			}
		})
	}
}
