-- @noindex
-- Version of the scripts. A test keeps it equal to the bridge's and to @version of the package file.
return "0.1.0"
