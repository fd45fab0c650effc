import Glibc

/// Why the state directory, or a file in it, cannot be used. Nothing was changed, and nothing was made anew.
package enum StateError: Error, Equatable, CustomStringConvertible {
  /// How a file of ours is damaged.
  package enum Damage: Equatable, Sendable {
    case empty
    case cut
    case tail
    case checksum

    var words: String {
      switch self {
      case .empty: "is empty"
      case .cut: "ends too early"
      case .tail: "has bytes behind its end"
      case .checksum: "does not match its checksum"
      }
    }
  }

  case noParent(String)
  case notADirectory(String)
  case notOurs(String, owner: UInt32)
  case writableByOthers(String)
  case openToOthers(String)
  case notAFile(String)
  case foreign(String)
  case otherKind(String)
  case newer(String, version: UInt16)
  case damaged(String, Damage)
  case lost(String)
  case tooLarge(String)
  case noSpace(String)
  case readOnly(String)
  case notPermitted(String)
  case system(String, SystemCallError)
  case bootsExhausted(String)
  case otherMachine(String)
  case machineUnknown(String)

  package var description: String {
    switch self {
    case .noParent(let path):
      "The state directory \(path) cannot be made because the directory above it is missing: make that one, or pass"
        + " another path with --state-dir."
    case .notADirectory(let path):
      "The state directory \(path) is not a directory: move what is there away, or pass another path with --state-dir."
    case .notOurs(let path, let owner):
      "\(path) belongs to user \(owner), so its keys cannot be trusted: run weftd as that user, or give it to this one"
        + " with `chown -R`, or pass another directory with --state-dir."
    case .writableByOthers(let path):
      "Others than its owner may write to \(path): make sure that nobody changed its files, then run `chmod 700 \(path)`."
    case .openToOthers(let path):
      "Others than its owner may read or write \(path), which can hold keys: run `chmod 600 \(path)`, and if somebody may"
        + " have read it, evict this host and join it anew."
    case .notAFile(let path):
      "\(path) is not a plain file: put the file of that name back from a backup."
    case .foreign(let path):
      "\(path) was not written by weftd: put the file of that name back from a backup, or see whether --state-dir is right."
    case .otherKind(let path):
      "\(path) holds another of weftd's files under a wrong name: put the right one back from a backup."
    case .newer(let path, let version):
      "\(path) has format \(version), of a newer release of weftd: install that release again."
    case .damaged(let path, let damage):
      "\(path) \(damage.words): put it back from a backup, or evict this host, empty the directory and join the pool anew."
    case .lost(let path):
      "\(path) is missing although other files there need it: put it back from a backup, or evict this host, empty the"
        + " directory and join the pool anew."
    case .tooLarge(let path):
      "\(path) would exceed \(StateDirectory.maximumSize >> 20) MiB, which weftd does not write or read."
    case .noSpace(let path): "No space is left to write \(path): free some; what was stored before is still there."
    case .readOnly(let path): "\(path) lies on a file system that is mounted read-only: mount it for writing."
    case .notPermitted(let path): "This user may not use \(path): run weftd as root, or give the directory to its user."
    case .system(let path, let error): "\(path) cannot be used: \(error) See the kernel's log (`dmesg`) for the device."
    case .bootsExhausted(let path):
      "The counter in \(path) is at its end, which no honest use reaches: evict this host, empty the directory and join anew."
    case .otherMachine(let path):
      "The state directory \(path) was made on another machine, and two hosts must not be the same one: give this host an"
        + " empty directory and join it to the pool; if the machine was only installed anew, delete '\(path)/machine'."
    case .machineUnknown(let path):
      "It cannot be told whether the state directory \(path) was made on this machine, as /etc/machine-id cannot be read:"
        + " restore it (`systemd-machine-id-setup`)."
    }
  }

  /// `path` is what the failed call was about.
  init(_ path: String, _ error: SystemCallError) {
    switch error.code {
    case ENOSPC, EDQUOT: self = .noSpace(path)
    case EROFS: self = .readOnly(path)
    case EPERM, EACCES: self = .notPermitted(path)
    default: self = .system(path, error)
    }
  }
}
