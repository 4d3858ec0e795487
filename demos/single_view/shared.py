"""What all demos share, from the folder above, for the scripts of this one."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from reporting import check_options as check_options
from reporting import make_progress as make_progress
from reporting import mean_interval as mean_interval
from reporting import print_table as print_table
from reporting import write_json as write_json
