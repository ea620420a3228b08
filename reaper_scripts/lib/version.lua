-- Version of the scripts. A test keeps it equal to the bridge's.
return "0.1.0"
