"""The worker pool that runs jobs, the watchdog that ends stuck workers, and the sweeper that recovers from crashes."""
