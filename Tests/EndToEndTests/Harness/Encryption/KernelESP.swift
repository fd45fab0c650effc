/// Whether this kernel can carry encrypted networks.
enum KernelESP {
  /// Why it cannot, or nil: found by trying in a network namespace that is thrown away.
  static let obstacle: String? = {
    if let obstacle = TestRun.obstacle { return obstacle }
    do {
      let namespace = try Namespace("\(TestRun.prefix)-esp")
      defer { Namespace.remove(namespace.name) }
      let key = "0x" + String(repeating: "5a", count: 36)
      try namespace.ip(
        "xfrm", "state", "add", "src", "192.0.2.1", "dst", "192.0.2.2", "proto", "esp", "spi", "0x1000", "mode",
        "transport", "aead", "rfc4106(gcm(aes))", key, "128")
      try namespace.ip(
        "link", "add", "gre1", "type", "gretap", "local", "192.0.2.1", "remote", "192.0.2.2", "key", "1")
      return nil
    } catch {
      return "this kernel lacks ESP with AES-GCM or gretap: run them by Tests/Lab/run.sh"
    }
  }()
}
