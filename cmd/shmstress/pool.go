package main

import "github.com/spf13/cobra"

func (a *app) poolCommand() *cobra.Command { return &cobra.Command{Use: "pool"} }

func (p *poolFigures) print(heading func(string), line func(name, format string, args ...any)) {}
