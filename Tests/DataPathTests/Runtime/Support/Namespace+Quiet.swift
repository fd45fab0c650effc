import Namespaces

extension Namespace {
  /// A new one that sends nothing by itself when an interface gets an address, so that only what a test sends is seen.
  static func quiet() throws -> Namespace {
    let namespace = try Namespace()
    try namespace.run {
      try sh("echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad")
      try sh("echo 0 > /proc/sys/net/ipv6/conf/default/router_solicitations")
    }
    return namespace
  }
}
