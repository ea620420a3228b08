-- Where the scripts lie; app.lua fills it in.
return { folder = "" }
