import Namespaces

/// Whether `address` answers.
func pings(_ address: String) -> Bool { (try? ping(address)) != nil }
