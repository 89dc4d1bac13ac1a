import sys, json, time
from running import run_suite, all_files
t=time.time()
files=sys.argv[2:]
if files==["all"]: files=all_files()
out = run_suite(None if sys.argv[1]=="numpy" else int(sys.argv[1]), files)
from collections import Counter
print(Counter(o["outcome"] for o in out.values()), time.time()-t)
name="/tmp/suite_%s.json"%sys.argv[1]
import os
old=json.load(open(name)) if os.path.exists(name) else {}
for k in list(old):
    if k.split("::")[0] in files: del old[k]
old.update(out)
json.dump(old, open(name,"w"))
