"""Where things lie: the project, its examples and its command."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "topologies"
#: the installed command line
COMMAND = Path(sys.executable).parent / "mediaflow"
