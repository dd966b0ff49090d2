"""The variational loop of a job: how it begins, goes on from round to round or from an earlier job, and ends."""
