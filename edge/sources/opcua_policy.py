"""The security policies by the names that the settings use. In: a name or a URI from the wire. Out: the other."""

from asyncua.crypto import security_policies

POLICIES: dict[str, type[security_policies.SecurityPolicy]] = {
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
    "Aes128Sha256RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
    "Aes256Sha256RsaPss": security_policies.SecurityPolicyAes256Sha256RsaPss,
    "Basic256": security_policies.SecurityPolicyBasic256,
    "Basic128Rsa15": security_policies.SecurityPolicyBasic128Rsa15,
}
STRONG = ("Aes256Sha256RsaPss", "Aes128Sha256RsaOaep", "Basic256Sha256")
_NAMES = {str(policy.URI): name for name, policy in POLICIES.items()}


def policy_name(uri: str) -> str:
    """``http://…#Aes256_Sha256_RsaPss`` → ``Aes256Sha256RsaPss``; of an unknown one what stands after the #."""
    return _NAMES.get(uri) or uri.rpartition("#")[2][:100]
