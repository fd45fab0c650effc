import Glibc

/// Says what to load where the kernel refuses an ESP state.
enum ESPModules {
  /// Adding a state with AES-GCM makes the kernel look for the IV generator `seqiv`, which needs a random generator,
  /// and the answer does not tell which of them is missing.
  static func explain(_ error: KernelError) -> KernelError {
    guard case .refused(let operation, _, let code, let message) = error else { return error }
    let advice =
      switch code {
      case EPROTONOSUPPORT, EOPNOTSUPP, ENOENT, ENOSYS:
        missing(registered(), saysCryptography: message?.contains("cryptographic") ?? false)
      default: nil as String?
      }
    let algorithm = "with \(XFRMState.algorithm)"
    return .refused(
      operation: operation, object: advice.map { "\(algorithm) (\($0))" } ?? algorithm, code: code, message: message)
  }

  /// - Parameters:
  ///   - names: the algorithms in /proc/crypto.
  ///   - saysCryptography: the kernel has ESP and failed at "cryptographic operations".
  static func missing(_ names: Set<String>, saysCryptography: Bool) -> String {
    if !saysCryptography, !names.contains(XFRMState.algorithm) {
      return "load the modules esp4, esp6, gcm and seqiv"
    }
    var modules: [String] = []
    if !names.contains(where: { $0.contains("gcm(aes)") || $0.contains("gcm_base(") }) { modules.append("gcm") }
    if !names.contains("stdrng") { modules.append("drbg (with jitterentropy_rng)") }
    // With a random generator and GCM it can only be the one that shows in no list.
    if modules.isEmpty { modules.append("seqiv") }
    return "load the module \(modules.joined(separator: " and "))"
  }

  private static func registered() -> Set<String> {
    guard let file = fopen("/proc/crypto", "re") else { return [] }
    defer { fclose(file) }
    var names: Set<String> = []
    var line = [CChar](repeating: 0, count: 512)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      let parts = text.split(separator: ":", maxSplits: 1).map { $0.split(whereSeparator: \.isWhitespace) }
      if parts.count == 2, parts[0] == ["name"], let name = parts[1].first { names.insert(String(name)) }
    }
    return names
  }
}
