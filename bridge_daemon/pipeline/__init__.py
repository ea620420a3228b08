"""The way of a job after admit: one step, one module, one function that takes a Job and says what comes next."""
