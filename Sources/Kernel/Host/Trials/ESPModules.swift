import Glibc

/// Says what to load where the kernel refuses an ESP state.
enum ESPModules {
  /// Adding a state with AES-GCM makes the kernel look for the IV generator `seqiv`, which needs a random generator,
  /// and the answer does not tell which of them is missing.
  static func explain(_ error: KernelError) -> KernelError {
    guard case .refused(let operation, _, let code, let message, _) = error else { return error }
    let advice =
      switch code {
      case EPROTONOSUPPORT, EOPNOTSUPP, ENOENT, ENOSYS:
        missing(
          registered(), hasSeqiv: isThere("seqiv"), saysCryptography: message?.contains("cryptographic") ?? false)
      default: nil as String?
      }
    let algorithm = "with \(XFRMState.algorithm)"
    return .refused(
      operation: operation, object: advice.map { "\(algorithm) (\($0))" } ?? algorithm,
      // What was not found is a module, not the SA.
      code: code == ENOENT ? EOPNOTSUPP : code, message: message)
  }

  /// - Parameters:
  ///   - names: the algorithms in /proc/crypto.
  ///   - hasSeqiv: the IV generator, which is in no list of algorithms, is loaded or built in.
  ///   - saysCryptography: the kernel has ESP and failed at "cryptographic operations".
  static func missing(_ names: Set<String>, hasSeqiv: Bool, saysCryptography: Bool) -> String {
    if !saysCryptography, !names.contains(XFRMState.algorithm) {
      return "load the modules esp4, esp6, gcm and seqiv"
    }
    var modules: [String] = []
    if !names.contains("gcm(aes)"), !names.contains(XFRMState.algorithm) { modules.append("gcm") }
    if !hasSeqiv { modules.append("seqiv") }
    // The generator asks for random numbers first, so without it nobody knows yet whether they are there.
    if hasSeqiv, !names.contains("stdrng") { modules.append("drbg (with jitterentropy_rng)") }
    return modules.isEmpty
      ? "load the modules seqiv and drbg" : "load the module \(modules.joined(separator: " and "))"
  }

  private static func isThere(_ module: String) -> Bool {
    if access("/sys/module/\(module)", F_OK) == 0 { return true }
    var system = utsname()
    guard uname(&system) == 0 else { return false }
    let release = withUnsafeBytes(of: system.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return TextFile.lines("/lib/modules/\(release)/modules.builtin").contains { $0.hasSuffix("/\(module).ko") }
  }

  private static func registered() -> Set<String> {
    Set(
      TextFile.lines("/proc/crypto").compactMap { line in
        let parts = line.split(separator: ":", maxSplits: 1).map { $0.split(whereSeparator: \.isWhitespace) }
        return parts.count == 2 && parts[0] == ["name"] ? parts[1].first.map(String.init) : nil
      })
  }
}
