package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/cache"
)

func cacheCommand() *cobra.Command {
	var form output
	cmd := &cobra.Command{
		Use: "cache", Short: "Show what the cache holds, or prune it",
		Long: cacheLong(),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := form.json()
			if err != nil {
				return err
			}
			c, err := cache.Inspect("")
			if err != nil {
				return err
			}
			defer c.Close()
			if asJSON {
				return writeCache(cmd.OutOrStdout(), c)
			}
			return showCache(cmd.OutOrStdout(), c)
		},
	}
	form.flags(cmd)
	cmd.AddCommand(cachePruneCommand())
	return cmd
}

// cached is what `mapstack cache` writes as JSON.
type cached struct {
	Schema     string       `json:"schema"`
	Folder     string       `json:"folder"`
	LimitBytes int64        `json:"limitBytes"`
	Bytes      int64        `json:"bytes"`
	Kinds      []cache.Kind `json:"kinds"`
}

// writeCache writes what the cache holds for other programs.
func writeCache(w io.Writer, c *cache.Cache) error {
	kinds, err := c.Usage()
	if err != nil {
		return err
	}
	all := cached{Schema: outputSchema, Folder: c.Root(), LimitBytes: c.Limit(), Kinds: list(kinds)}
	for _, k := range kinds {
		all.Bytes += k.Bytes
	}
	return writeJSON(w, all)
}

func showCache(w io.Writer, c *cache.Cache) error {
	kinds, err := c.Usage()
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "KIND\tENTRIES\tSIZE\tOLDEST USE\tNEWEST USE")
	var total cache.Kind
	for _, k := range kinds {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\n", k.Name, k.Entries, inUnits(k.Bytes), humanize.Time(k.Oldest), humanize.Time(k.Newest))
		total.Entries += k.Entries
		total.Bytes += k.Bytes
	}
	fmt.Fprintf(t, "total\t%d\t%s\tof %s\n", total.Entries, inUnits(total.Bytes), inUnits(c.Limit()))
	if err := t.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, "in", c.Root())
	return err
}

func cachePruneCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use: "prune", Short: "Remove what was used longest ago, down to the limit", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := cache.Inspect("")
			if err != nil {
				return err
			}
			defer c.Close()
			limit := c.Limit()
			if cmd.Flags().Changed("to") {
				if limit, err = cache.ParseSize(to); err != nil {
					return fmt.Errorf("--to is %w; give a size such as 8GiB, or 0 to remove everything", err)
				}
			}
			removed, freed, err := c.Prune(limit)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "entries removed: %d, disk space freed: %s, in %s\n", removed, inUnits(freed), c.Root())
			return err
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "prune to this size instead of the limit, such as 8GiB; 0 removes everything")
	return cmd
}

func inUnits(bytes int64) string { return humanize.IBytes(uint64(bytes)) }

// cacheLong returns the help of cache.
func cacheLong() string {
	return "cache shows what the cache holds. A run prunes the cache to its limit, if no other run uses it. What was used\n" +
		"longest ago goes first. The limit is " + humanize.IBytes(cache.DefaultLimit) + ", or the value of MAPSTACK_CACHE_LIMIT, such as 8GiB."
}
