from tests.rig import bare
from tests.rig.places import places
import sys
if sys.argv[1]=="up": bare.up(places()); print(places().kubeconfig)
if sys.argv[1]=="down": bare.down(places())
if sys.argv[1]=="status": print(bare.status(places()))
