"""Policy, mode and certificates of an OPC UA channel. In: settings. Out: asyncua's security policy set on its client.

Never a silent downgrade: what the settings name is used, or the connection fails.
"""

from pathlib import Path

from asyncua.crypto import security_policies, uacrypto
from cryptography import x509

from edge.sources.opcua_library import Opaque, ua
from edge.sources.opcua_settings import OpcUaSettings
from twin.errors import ConfigError

_POLICIES: dict[str, type[security_policies.SecurityPolicy]] = {
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
    "Aes128Sha256RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
    "Aes256Sha256RsaPss": security_policies.SecurityPolicyAes256Sha256RsaPss,
}


async def secure(client: Opaque, settings: OpcUaSettings) -> None:
    """Give the client its security policy; asks the server for its certificate only where any server is trusted.

    Raises:
        ConfigError: a certificate or key file is missing or cannot be used.
    """
    security = settings.security
    if security.policy == "None" or security.certificate is None or security.private_key is None:
        return
    for key, path in (
        ("certificate", security.certificate),
        ("private_key", security.private_key),
        ("server_certificate", security.server_certificate),
    ):
        if path is not None and not path.is_file():
            raise ConfigError(f"source {settings.name}: security.{key}: {path} does not exist; correct the path")
    client.application_uri = await _application_uri(security.certificate, settings.name)
    await client.set_security(
        _POLICIES[security.policy],
        security.certificate,
        security.private_key,
        security.private_key_password,
        None if security.server_certificate is None else str(security.server_certificate),
        mode=ua.MessageSecurityMode[security.mode],
    )


async def _application_uri(path: Path, source: str) -> str:
    try:
        certificate = await uacrypto.load_certificate(path)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound) as error:
        raise ConfigError(
            f"source {source}: security.certificate: {path} cannot be used ({error}); make it anew"
        ) from error
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if not uris:
        raise ConfigError(f"source {source}: security.certificate: {path} names no application URI; make it anew")
    return uris[0]
