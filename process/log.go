package process

import (
	"context"
	"log/slog"
)

// logLevel returns the lowest of slog's levels that the default logger lets
// through, or a higher one than those.
func logLevel() slog.Level {
	ctx := context.Background()
	for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if slog.Default().Enabled(ctx, l) {
			return l
		}
	}
	return slog.LevelError + 4
}
