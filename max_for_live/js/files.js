/** Files: small text files, and the paths of two worlds. Max writes "Macintosh HD:/Users/x", Live and Python "/Users/x". */
var Files = (function () {
  var LARGEST = 65536; // bytes of a file that is read

  /** The path as Live, Python and people write it. */
  function native(path) {
    var slashes = String(path).replace(/\\/g, "/");
    return slashes.replace(/^[^\/:]{2,}:\//, "/");
  }

  /** The volume in front of a path of Max on macOS, or "". */
  function volume(path) {
    var found = /^[^\/:]{2,}:(?=\/)/.exec(String(path));
    return found ? found[0] : "";
  }

  function folder(path) {
    return String(path).replace(/\/[^\/]*$/, "");
  }

  function name(path) {
    return String(path).replace(/\\/g, "/").replace(/^.*\//, "");
  }

  /** The address of a folder. In "Track #1 Project" what comes behind the # would be taken for no part of the path, as behind a ?. */
  function url(path) {
    var start = path.charAt(0) === "/" ? "file://" : "file:///";
    return start + encodeURI(path).replace(/#/g, "%23").replace(/\?/g, "%3F");
  }

  /** A file that is open, or null. `like` is a path that Max gave, for the name of the volume. */
  function opened(path, like, access) {
    var forms = volume(like) && path.charAt(0) === "/" ? [path, volume(like) + path] : [path];
    for (var i = 0; i < forms.length; i += 1) {
      var file = new File(forms[i], access);
      if (file.isopen) {
        return file;
      }
    }
    return null;
  }

  /** The text of a file, or null. */
  function read(path, like) {
    var file = opened(path, like, "read");
    if (file === null) {
      return null;
    }
    var text = "";
    while (text.length < LARGEST && file.position < file.eof) {
      var more = file.readstring(4096);
      if (!more) {
        break;
      }
      text += more;
    }
    file.close();
    return text;
  }

  function exists(path, like) {
    var file = opened(path, like, "read");
    if (file) {
      file.close();
    }
    return file !== null;
  }

  function json(path, like) {
    var text = read(path, like);
    if (text === null) {
      return null;
    }
    try {
      var value = JSON.parse(text);
      return value !== null && typeof value === "object" ? value : null;
    } catch (error) {
      return null; // half written: it is read again soon
    }
  }

  return { native: native, url: url, folder: folder, name: name, opened: opened, read: read, exists: exists, json: json };
}());
