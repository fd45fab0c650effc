extension KernelXFRM {
  /// What lets the tunnels' traffic pass by all policies of the calling thread's namespace: settings of the underlay
  /// interface, or of all.
  ///
  /// - Returns: a sentence that says what to set; nil if there is nothing of the kind.
  package static func underlayBypass(interface: String) -> String? {
    let settings = ["all", interface].flatMap { name in
      [
        "ipv4/conf/\(name)/disable_xfrm", "ipv4/conf/\(name)/disable_policy", "ipv6/conf/\(name)/disable_policy",
      ]
    }
    let open = settings.filter { path in KernelSettings.read(path).map { $0 != "0" } ?? false }
    guard !open.isEmpty else { return nil }
    let commands = open.map { "'sysctl -w net/\($0)=0'" }
    return
      "IPsec policies are switched off on the underlay interface \(interface), so encrypted networks cannot be kept "
      + "from sending in clear: run \(commands.joined(separator: " and ")), and look for what sets it at boot."
  }
}
