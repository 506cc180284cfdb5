package main

import (
	"io/fs"
	"path/filepath"
)

// pieceSize is the most bytes of a file that one piece covers; taskSize and
// taskFiles are what a task is filled up to.
const (
	pieceSize = 1 << 20
	taskSize  = 1 << 20
	taskFiles = 100
)

// find walks the tree and returns its regular files, cut and grouped into
// tasks, and their number and size.
func find(root string) (tasks [][]piece, files int, size int64, err error) {
	var task []piece
	var filled int64
	flush := func() {
		if len(task) > 0 {
			tasks = append(tasks, task)
			task, filled = nil, 0
		}
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files++
		size += info.Size()
		// An empty file is a piece too: it counts as a file.
		for from := int64(0); from == 0 || from < info.Size(); from += pieceSize {
			p := piece{path, from, min(from+pieceSize, max(info.Size(), 1))}
			task = append(task, p)
			filled += p.To - p.From
			if filled >= taskSize || len(task) >= taskFiles {
				flush()
			}
		}
		return nil
	})
	flush()
	return tasks, files, size, err
}
