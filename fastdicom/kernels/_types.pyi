from collections.abc import Buffer as Buffer
