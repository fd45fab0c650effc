#if canImport(Glibc)
  import Glibc
#endif

// The two functions that libFuzzer calls. The target is named by the variable WEFT_FUZZ_TARGET, so that each has a corpus
// of its own; its seeds are written to the directory in WEFT_FUZZ_SEEDS.

// libFuzzer has one thread and calls the first function once, before all else.
nonisolated(unsafe) private var target: (any FuzzTarget)?

/// libFuzzer's own loop.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
  _ count: UnsafeMutablePointer<Int32>, _ arguments: UnsafeMutablePointer<UnsafeMutableRawPointer?>,
  _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

/// The package manager makes this function, by its name, the program's entry.
@_cdecl("WeftFuzz_main")
public func fuzzMain(_ count: Int32, _ arguments: UnsafeMutableRawPointer?) -> Int32 {
  var (count, arguments) = (count, arguments)
  return runFuzzer(&count, &arguments, fuzzOne)
}

@_cdecl("LLVMFuzzerInitialize")
public func fuzzInitialize(_ count: UnsafeMutablePointer<Int32>, _ arguments: UnsafeMutableRawPointer) -> Int32 {
  let name = getenv("WEFT_FUZZ_TARGET").map { String(cString: $0) } ?? ""
  do {
    guard let kind = fuzzTargets.first(where: { $0.name == name }) else {
      fatalError("set WEFT_FUZZ_TARGET to one of: \(fuzzTargets.map { $0.name }.joined(separator: " "))")
    }
    let made = try kind.make()
    target = made
    if let directory = getenv("WEFT_FUZZ_SEEDS") { try write(made.seeds(), to: String(cString: directory)) }
  } catch {
    fatalError("the target \(name) cannot be made: \(error)")
  }
  return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  target?.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
  return 0
}

private let fuzzTargets: [(name: String, make: @Sendable () throws -> any FuzzTarget)] = [
  ("datagram", { try DatagramTarget() }),
  ("gossip", { try GossipTarget() }),
  ("registry", { RegistryTarget() }),
  ("sync", { SyncTarget() }),
  ("peer", { try PeerTarget() }),
  ("text", { TextTarget() }),
  ("stored", { try StoredTarget() }),
  ("wire", { WireTarget() }),
  ("keys", { KeysTarget() }),
  ("packets", { PacketsTarget() }),
  ("esp", { ESPTarget() }),
]

private struct SeedNotWritten: Error {
  var path: String
}

private func write(_ seeds: [[UInt8]], to directory: String) throws {
  for (index, seed) in seeds.enumerated() {
    let path = "\(directory)/seed-\(index)"
    guard let file = fopen(path, "w") else { throw SeedNotWritten(path: path) }
    let written = fwrite(seed, 1, seed.count, file)
    guard fclose(file) == 0, written == seed.count else { throw SeedNotWritten(path: path) }
  }
}
