"""The sections of the configuration, each a frozen dataclass. `fastdicom.config` puts them together."""
