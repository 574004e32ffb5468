"""A scikit-learn pipeline without a scaler: raw columns, one changed import.

python examples/sklearn_pipeline.py
"""

from sklearn.datasets import load_wine
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline

from mdbopt.sklearn import LogisticRegression  # was: from sklearn.linear_model import ...

X, y = load_wine(return_X_y=True, as_frame=True)  # proline in the hundreds, hue about 1
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)

model = make_pipeline(SimpleImputer(), LogisticRegression())
search = GridSearchCV(model, {"logisticregression__C": [0.1, 1.0, 10.0]}, cv=5)
search.fit(X_train, y_train)

fitted = search.best_estimator_[-1]
print(f"best C {search.best_params_['logisticregression__C']}, {fitted.n_iter_[0]} iterations")
print(f"accuracy {search.score(X_test, y_test):.3f}")
