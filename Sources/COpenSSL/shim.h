// libcrypto: AES-GCM by the EVP interface.
#pragma once
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
