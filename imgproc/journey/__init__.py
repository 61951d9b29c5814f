"""What happens to a file, in order: `accept`, then `jobs` (plan, process_product, finalize, deliver)."""
