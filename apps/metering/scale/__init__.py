"""Many meters in one process against one CSE: do they keep their schedule, and what does it cost (``cse demo --metering --meters 2000``)."""
