package dict

import (
	"github.com/shmkit/shmkit/internal/arena"
	"github.com/shmkit/shmkit/internal/fault"
	"github.com/shmkit/shmkit/internal/mem"
)

// NewBlock fills a block of n bytes, its head included, with an object that is no table: the
// words that tell what it is, and zeros. The caller makes it live, and refers to it.
func (s *Store) NewBlock(kind, id uint64, n int) (arena.Block, error) {
	b, err := s.alloc(n)
	if err != nil {
		return b, err
	}
	mem.Clear(s.Arena.Bytes(b.Ref, n)[8:])
	w := s.words[b.Ref/8:]
	fault.Point("dict.block.kind")
	w[wordKind].Store(kind)
	fault.Point("dict.block.id")
	w[wordID].Store(id)
	return b, nil
}
