"""What is known of the functions and methods that notebooks use most: which of them leave their arguments alone.

Whatever is found in none of these tables possibly changes all that it gets: parallelism is lost, never correctness.
Names of functions are dotted and begin with their module; methods go by their last name, whatever the object.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Python's own functions, by what comes out of them.
LOOKS = _words(  # something immutable
    "all any ascii bin bool bytes callable chr complex delattr dir float format hasattr hash help hex id input"
    " int isinstance issubclass len oct ord print range repr slice str type display"
    " object exit quit breakpoint"
)
JOINS = _words("abs divmod pow round")  # of numbers a number, of arrays an array
SAME = _words("property staticmethod classmethod")  # the function itself
BUILDS = _words("list tuple dict set frozenset sorted bytearray")  # a new holder of what they hold
ITERATORS = _words("iter map filter zip enumerate reversed aiter")  # the same, and to be used once
PARTS = _words("min max getattr sum memoryview anext")  # something inside of the arguments
BLIND = _words("exec eval globals locals compile __import__")  # nobody sees what these do

# Modules whose functions leave their arguments alone, as a rule; what comes out may share with what goes in.
GENTLE_MODULES = _words(
    "abc altair array ast base64 bisect bokeh calendar cmath collections colorsys contextlib copy csv cvxpy dataclasses"
    " datetime dateutil decimal difflib duckdb enum folium fractions functools geopandas glob gzip hashlib heapq html"
    " IPython inspect io itertools ipywidgets json math matplotlib networkx notebook_flows numbers numpy operator os pandas"
    " pathlib pickle platform plotly polars pprint pyarrow pydantic pylab pytz random re requests scipy seaborn shapely"
    " shutil skimage sklearn statistics statsmodels string struct subprocess sympy sys tabulate tempfile textwrap time"
    " timeit torch tqdm traceback types typing unicodedata urllib urllib3 uuid warnings xarray xgboost yaml zipfile zlib"
    " zoneinfo rich logging lightgbm catboost tensorflow keras joblib wordcloud nltk PIL cv2 httpx bs4 lxml"
)
# Functions of these modules that change their first argument.
CHANGES_FIRST = _words(
    "random.shuffle numpy.random.shuffle numpy.copyto numpy.put numpy.place numpy.putmask numpy.fill_diagonal"
    " numpy.put_along_axis numpy.add.at numpy.subtract.at numpy.multiply.at numpy.maximum.at numpy.minimum.at"
    " heapq.heappush heapq.heappop heapq.heapify heapq.heapreplace heapq.heappushpop bisect.insort bisect.insort_left"
    " bisect.insort_right operator.setitem operator.delitem operator.iadd operator.iconcat csv.reader csv.DictReader"
    " itertools.tee json.load pickle.load numpy.random.Generator.shuffle torch.nn.init setattr"
)
# ... and results of theirs that share nothing with what goes in.
OWN_RESULT = _words(
    "copy.deepcopy numpy.array numpy.zeros_like numpy.ones_like numpy.full_like numpy.concatenate numpy.stack"
    " numpy.vstack numpy.hstack numpy.where numpy.sort numpy.unique numpy.dot numpy.matmul numpy.cumsum numpy.add"
    " numpy.subtract numpy.multiply numpy.divide numpy.exp numpy.log numpy.sqrt numpy.sin numpy.cos pandas.concat"
    " pandas.merge pandas.pivot_table pandas.crosstab pandas.get_dummies pandas.cut pandas.qcut pandas.to_datetime"
    " pandas.to_numeric pandas.read_csv pandas.read_parquet pandas.read_excel pandas.read_json pandas.read_sql"
    " pandas.date_range json.dumps json.loads pickle.dumps"
)
# Classes of these modules keep what they get, and leave it alone for good; but for the steps of a pipeline.
OWN_OBJECT_MODULES = _words("sklearn statsmodels xgboost lightgbm catboost")
FITS_WHAT_IT_GETS = _words("sklearn.pipeline.Pipeline sklearn.pipeline.FeatureUnion")
# They copy lists and dicts; an array they may share, unless pandas copies on write.
MAY_VIEW = _words("pandas.DataFrame pandas.Series")
IMMUTABLE_RESULT_MODULES = _words("math cmath statistics time hashlib platform uuid calendar datetime")
IMMUTABLE_RESULT = _words(
    "numpy.mean numpy.std numpy.var numpy.median numpy.allclose numpy.isclose numpy.array_equal numpy.shape json.dumps"
    " os.getcwd os.getenv os.getpid os.listdir re.sub re.match re.search re.compile pathlib.Path pathlib.PurePath"
    " decimal.Decimal fractions.Fraction collections.namedtuple operator.itemgetter operator.attrgetter typing.NamedTuple"
    " IPython.display.display IPython.display.HTML IPython.display.Markdown textwrap.dedent pprint.pprint"
)
# What gives back the function or class that it gets, more or less; given options only, it gives what does so.
WRAPPERS = _words(
    "functools.cache functools.lru_cache functools.wraps functools.singledispatch functools.total_ordering"
    " contextlib.contextmanager contextlib.asynccontextmanager dataclasses.dataclass numba.jit numba.njit numba.vectorize"
    " notebook_flows.task numpy.vectorize typing.overload typing.final atexit.register abc.abstractmethod enum.unique"
    " functools.partialmethod streamlit.cache_data pandas.api.extensions.register_dataframe_accessor"
)
PROPERTIES = _words("functools.cached_property abc.abstractproperty")
PARTIALS = _words("functools.partial")
# Of gentle modules, functions that call back or make what changes its arguments later: judged as unknown ones.
ROUGH = _words("functools.reduce contextlib.closing concurrent.futures threading.Thread")
# What opens something that moves on as it is read.
READERS = _words(
    "open io.open io.StringIO io.BytesIO io.TextIOWrapper tempfile.TemporaryFile tempfile.NamedTemporaryFile gzip.open bz2.open"
    " lzma.open codecs.open csv.reader csv.DictReader os.scandir glob.iglob os.walk"
)
FILLED_BY_LOOKING = _words("collections.defaultdict")  # what is not there is made as it is looked for
PIECEWISE = _words("chunksize iterator")  # with these, a table is read piece by piece
READER_MODULES = frozenset({"itertools"})

# Methods that change their object.
CHANGING_METHODS = _words(
    "append extend insert remove pop clear sort reverse update setdefault popitem add discard intersection_update"
    " difference_update symmetric_difference_update appendleft extendleft popleft rotate fit fit_transform partial_fit"
    " fit_predict compile train eval backward step zero_grad load_state_dict fill itemset resize put setflags write"
    " writelines writerow writerows seek truncate close flush send throw asend athrow read readline readlines put_nowait"
    " get_nowait acquire release set set_data register subscribe add_node add_edge add_nodes_from"
    " add_edges_from remove_node remove_edge add_trace update_layout update_traces add_subplot set_title set_xlabel"
    " set_ylabel set_xlim set_ylim set_xticks set_yticks legend grid annotate axhline axvline fill_between twinx tick_params"
    " execute executemany commit rollback cursor fetchone fetchall fetchmany subtract move_to_end __setitem__"
    " __setattr__ __delitem__ __next__ random integers normal uniform choice shuffle permutation standard_normal poisson"
    " exponential binomial randint gauss"
)
# Methods that give something immutable and change nothing.
LOOKING_METHODS = _words(
    "upper lower strip lstrip rstrip startswith endswith format title capitalize casefold swapcase center ljust rjust"
    " zfill encode decode isdigit isalpha isalnum isnumeric isspace isupper islower find rfind index rindex count join"
    " translate item is_integer bit_length hexdigest digest strftime isoformat timestamp date weekday"
    " exists is_file is_dir read_text read_bytes as_posix resolve absolute with_suffix total_seconds"
    " isdisjoint issubset issuperset nunique equals score info"
    " group groups groupdict start span fullmatch match search __len__ __str__ __repr__ __contains__ __eq__"
)
# Methods that give a new object, which shares nothing with theirs that anybody changes.
FRESH_METHODS = _words(
    "head tail describe groupby merge join assign dropna fillna reset_index set_index rename sort_values sort_index"
    " drop drop_duplicates query astype pivot pivot_table melt stack unstack"
    " value_counts rolling resample expanding ewm shift diff pct_change cumsum cumprod cummax cummin rank isin isna isnull"
    " notna notnull between where mask clip round abs mean median std var prod any all quantile corr cov"
    " nlargest nsmallest idxmin idxmax argmin argmax argsort size explode interpolate ffill bfill"
    " predict predict_proba split rsplit splitlines partition rpartition to_dict to_list tolist"
    " to_frame to_string to_html to_markdown dot matmul with_columns lazy sem skew"
    " kurt mode duplicated combine_first compare eq ne lt le gt ge add_prefix add_suffix select_dtypes tz_localize"
    " tz_convert to_period to_timestamp dayofyear strptime findall json cut qcut get_dummies"
    " asfreq asof at_time between_time case_when combine convert_dtypes corrwith div divide divmod droplevel infer_objects"
    " kurtosis autocorr first_valid_index last_valid_index memory_usage floordiv mod mul multiply pow truediv sub radd rsub"
    " rmul rdiv rmod rpow rfloordiv rtruediv reindex reindex_like rename_axis reorder_levels swaplevel set_axis set_flags"
    " factorize searchsorted unique ohlc get_indexer get_level_values get_loc contains len removeprefix removesuffix"
    " isdecimal isascii istitle ceil floor day_name month_name isocalendar normalize add_categories remove_categories"
    " remove_unused_categories rename_categories reorder_categories set_categories argpartition byteswap conj conjugate"
    " nonzero tobytes repeat take trace summary conf_int"
    " inverse_transform decision_function kneighbors cumcount ngroup crosstab"
)
# Methods that give a new holder of the same things, or a view.
SHARING_METHODS = _words(
    "first last nth filter select collect sample min max"
    " sum apply applymap map agg aggregate transform replace count index join copy get union intersection difference symmetric_difference most_common elements reshape ravel"
    " flatten transpose squeeze swapaxes view to_numpy get_group iteritems xs"
    " align diagonal pipe get_params detach cpu numpy to __iter__ __getitem__ nodes edges neighbors degree subgraph children"
)
GENTLE_PREFIXES = ("is_", "has_", "to_", "as_")

# Methods that give a view of their dict, and such that give what moves on as it is read.
VIEWS = _words("keys values items")
ITERATING_METHODS = _words(
    "glob rglob iterdir finditer iterrows itertuples iter_rows iter_lines iter_content iter_batches imap imap_unordered"
)

# Attributes that are the object itself under another name, and ones that are immutable.
SAME_ATTRIBUTES = _words("loc iloc at iat str dt cat flat")
IMMUTABLE_ATTRIBUTES = _words(
    "shape size ndim dtype dtypes nbytes itemsize __name__ __doc__ __class__ __version__ pi e inf nan newaxis"
)

# Drawing: on the figure that pyplot holds, or on a table, which is left alone; on axes it changes them.
PYPLOT = ("matplotlib.pyplot", "pylab", "seaborn")
PYPLOT_GENTLE = _words("matplotlib.pyplot.style matplotlib.pyplot.rcParams matplotlib.pyplot.rc_context")
DRAWING_METHODS = _words(
    "plot hist scatter bar barh boxplot pie imshow contour contourf step stem errorbar violinplot hexbin pcolormesh"
    " matshow text bar_label box kde area density line"
)
# What changes the figure or the axes alone, never the things that were drawn on them.
FIGURE_METHODS = DRAWING_METHODS | _words(
    "legend grid annotate axhline axvline fill_between twinx twiny tick_params add_subplot add_trace update_layout"
    " update_traces set set_title set_xlabel set_ylabel set_xlim set_ylim set_xticks set_yticks"
)
AXES_NAMES = ("ax", "fig")
FIGURE_MAKERS = ("matplotlib", "plotly", *PYPLOT)

# What hands things to a function that it is given, with the keywords under which it may be given.
CALLBACK_BUILTINS = _words("map filter sorted min max")
CALLBACK_METHODS = _words(
    "apply applymap map agg aggregate transform pipe filter assign sort sort_values combine reduce starmap imap"
    " imap_unordered map_async apply_async submit groupby"
)
CALLBACK_KEYWORDS = _words("key func function default")
# Keywords that, given as False, let a function work in what it gets; those of tables only share it with the result.
COPIES = _words("copy copy_X copy_x copy_Y")
IN_PLACE = _words("inplace overwrite_a overwrite_b overwrite_x overwrite_input overwrite_data")
SHARE_WITHOUT_COPY = _words("pandas polars pyarrow geopandas numpy.array numpy.asarray numpy.asanyarray")

# Hidden state that is changed by calls; a name stands for all below it.
HIDDEN = {
    "random": "random",
    "numpy.random": "random",
    "torch.manual_seed": "random",
    "torch.rand": "random",
    "torch.randn": "random",
    "torch.randint": "random",
    "tensorflow.random": "random",
    "os.chdir": "cwd",
    "contextlib.chdir": "cwd",
    "os.putenv": "environ",
    "os.unsetenv": "environ",
    "os.umask": "environ",
    "time.tzset": "environ",
    "dotenv.load_dotenv": "environ",
    "warnings.filterwarnings": "warnings",
    "warnings.simplefilter": "warnings",
    "warnings.resetwarnings": "warnings",
    "warnings.catch_warnings": "warnings",
    "locale.setlocale": "locale",
    "signal.signal": "signals",
    "signal.alarm": "signals",
    "importlib.reload": "modules",
    "pandas.set_option": "settings",
    "pandas.reset_option": "settings",
    "numpy.set_printoptions": "settings",
    "numpy.seterr": "settings",
    "logging.basicConfig": "settings",
    "sys.setrecursionlimit": "settings",
    "decimal.getcontext": "settings",
    "decimal.setcontext": "settings",
    "seaborn.set": "settings",
    "seaborn.set_theme": "settings",
    "seaborn.set_style": "settings",
    "seaborn.set_palette": "settings",
    "matplotlib.pyplot.style": "settings",
    "matplotlib.rc": "settings",
    "matplotlib.use": "settings",
    "asyncio.create_task": "async",
    "asyncio.ensure_future": "async",
    "asyncio.get_running_loop": "async",
    "asyncio.get_event_loop": "async",
    "asyncio.current_task": "async",
    "asyncio.all_tasks": "async",
}
# ... but not by these, which hold a state of their own.
OWN_STATE = _words(
    "random.Random random.SystemRandom numpy.random.default_rng numpy.random.Generator numpy.random.RandomState"
    " numpy.random.SeedSequence numpy.random.PCG64 numpy.random.MT19937 numpy.random.Philox"
)
# What draws from the global random state, unless it is told by keyword where to draw from.
DRAWS = _words("sklearn.model_selection.train_test_split sklearn.utils.shuffle sklearn.utils.resample")
DRAWING_SAMPLES = _words("sample")
SEEDS = _words("random_state seed rng generator")
# ... and hidden state that is changed by setting or changing something in these.
HIDDEN_PLACES = {
    "os.environ": "environ",
    "sys.path": "modules",
    "sys.modules": "modules",
    "warnings.filters": "warnings",
    "matplotlib.rcParams": "settings",
    "matplotlib.pyplot.rcParams": "settings",
    "pandas.options": "settings",
}

# What writes outside of the kernel's memory: functions, and methods, some of them only if they are given where to.
WRITERS = _words(
    "numpy.save numpy.savez numpy.savez_compressed numpy.savetxt json.dump pickle.dump joblib.dump torch.save yaml.dump"
    " matplotlib.pyplot.savefig os.remove os.unlink os.mkdir os.makedirs os.rename os.replace os.rmdir os.system os.popen"
    " os.kill requests.post requests.put requests.delete requests.patch urllib.request.urlretrieve webbrowser.open"
    " httpx.post httpx.put httpx.delete httpx.patch"
)
WRITER_MODULES = frozenset({"shutil", "subprocess", "smtplib", "socket"})
WRITING_METHODS = _words(
    "savefig write_text write_bytes mkdir unlink touch rmdir rename to_parquet to_excel to_pickle to_sql to_hdf to_feather"
    " write_image write_html write_csv write_parquet upload_file put_object executescript save save_model"
)
WRITING_WITH_ARGUMENT = _words("to_csv to_json to_html to_latex to_markdown to_string")

# Functions that look at the frames of their callers.
FRAME_LOOKERS = _words("sys._getframe inspect.currentframe inspect.stack sys.settrace sys.setprofile")

# Names that IPython keeps, and that mean something else in every run.
HISTORY = _words("_ __ ___ _i _ii _iii _ih _oh _dh In Out")
# Names that are there in every kernel.
ALWAYS = _words("display get_ipython __name__ __doc__ __builtins__ __builtin__ __file__ __spec__ __loader__")

# Names under which everybody imports these modules: believed where the import itself cannot be seen.
USUAL_IMPORTS = {
    "np": "numpy",
    "pd": "pandas",
    "plt": "matplotlib.pyplot",
    "mpl": "matplotlib",
    "sns": "seaborn",
    "pl": "polars",
    "px": "plotly.express",
    "random": "random",
    "os": "os",
    "sys": "sys",
    "math": "math",
    "re": "re",
    "json": "json",
    "time": "time",
    "warnings": "warnings",
    "itertools": "itertools",
    "subprocess": "subprocess",
    "shutil": "shutil",
    "torch": "torch",
}
