from typing_extensions import Buffer as Buffer
