"""How functions read their arguments: each call of a table as NumPy answers it, lazily and at once: values, dtypes, kinds, exceptions.

The table is text, so that one row serves both: `F` is looked up in numpy or in lazynp, the names of DATA are arrays of either,
and `O(x)` is an array to be used as `out`. To add a case, add a call.
"""

import warnings

import numpy as np
import pytest

import lazynp as lnp

rng = np.random.default_rng(0)
A, B = rng.standard_normal((2, 4, 6))
C, V = np.arange(24).reshape(4, 6) % 7, np.linspace(-2.0, 3.0, 9)
DATA = {
    "A": A, "B": B, "C": C, "V": V, "Z": A + 1j * B, "N": np.where(A > 1, np.nan, A), "M": A > 0, "T3": np.arange(24.0).reshape(2, 3, 4),
    "S": A[:, :4] @ A[:, :4].T + 4 * np.eye(4), "U8": C.astype(np.uint8), "I8": (C - 3).astype(np.int8), "F4": A.astype(np.float32),
    "F2": A.astype(np.float16), "E0": np.zeros((0, 3)),
}  # fmt: skip

CALLS = """
sum(A,(0,1)) ; sum(A,-1) ; sum(A,(0,0)) ; sum(U8) ; sum(U8,dtype='f4') ; sum(F4,dtype='i4') ; sum(A,axis=1.5) ; sum(E0) ; sum(E0,0) ;
sum(A,axis=1,initial=3) ; sum(A,1,where=M[:,:1]) ; sum(Z,0) ; sum(A,axis=()) ; sum(M,axis=()) ; sum(I8,axis=()) ;
sum(A,out=O(np.zeros(()))) ; sum(A,0,out=O(np.zeros(6))) ; sum(A,0,out=O(np.zeros(5))) ; sum(A,0,out=O(np.zeros(6,int))) ;
sum(C,0,out=O(np.zeros(6))) ; sum(A,0,keepdims=True,out=O(np.zeros((1,6)))) ; sum(A,0,out=O(np.zeros((1,6))))
prod(U8) ; prod(M) ; prod(E0) ; prod(I8,0) ; prod(F2)
mean(A,0) ; mean(A,(0,1)) ; mean(E0) ; mean(E0,0) ; mean(C) ; mean(M) ; mean(Z,1) ; mean(F2) ; mean(F4,0) ; mean(A,dtype='f4') ;
mean(C,dtype=int) ; mean(A,2) ; mean(A,0,out=O(np.zeros(6))) ; mean(A,0,out=O(np.zeros(6,int))) ; mean(A,0,out=O(np.zeros(7))) ;
mean(A,where=M) ; mean(A,0,keepdims=True,where=M) ; mean(A,axis=())
var(A,1,keepdims=True) ; var(E0) ; var(C,ddof=30) ; var(F2,0) ; var(A,where=M) ; var(A,axis=0,mean=A.mean(0,keepdims=True)) ;
var(A,correction=1) ; var(A,ddof=1,correction=1) ; var(A,0,dtype='f4') ; var(M)
std(Z) ; std(F4,0) ; std(A,axis=(0,1)) ; std(A,0,out=O(np.zeros(6)))
max(C) ; max(C,(0,1)) ; max(E0) ; max(E0,1) ; max(E0,0) ; max(A,where=M) ; max(A,where=M,initial=-1) ; max(A,initial=5) ; max(Z) ;
max(Z,0) ; max(M,0) ; max(N,0) ; max(A,0,out=O(np.zeros(6,'f4')))
min(N) ; min(U8,initial=3)
amax(A,0)
amin(A)
ptp(A) ; ptp(C,1) ; ptp(A,1,keepdims=True) ; ptp(M) ; ptp(U8,0) ; ptp(E0)
all(A) ; all(C,1) ; all(E0) ; all(A,where=M) ; all(C,0,out=O(np.zeros(6,bool))) ; all(C,0,out=O(np.zeros(6)))
any(C,(0,1)) ; any(Z) ; any(C,0,keepdims=True)
argmax(A) ; argmax(C,0) ; argmax(A,1,keepdims=True) ; argmax(E0) ; argmax(E0,1) ; argmax(Z) ; argmax(M,0) ; argmax(A,5) ;
argmax(A,0,out=O(np.zeros(6,int))) ; argmax(A,0,out=O(np.zeros(6)))
argmin(N,1) ; argmin(F2)
cumsum(U8,0) ; cumsum(M) ; cumsum(A,dtype='f4') ; cumsum(A,3) ; cumsum(E0,0) ; cumsum(A,0,out=O(np.zeros((4,6)))) ;
cumsum(A,0,out=O(np.zeros((4,6),int))) ; cumsum(V[3])
cumprod(I8,1) ; cumprod(Z)
cumulative_sum(A,axis=0) ; cumulative_sum(V,include_initial=True) ; cumulative_sum(A)
cumulative_prod(V) ; cumulative_prod(A,axis=1,include_initial=True)
nansum(N,0) ; nansum(C) ; nansum(U8,0) ; nansum(M,1) ; nansum(C,where=M) ; nansum(C,dtype='f4')
nanprod(N,1)
nanmean(N,0) ; nanmean(C) ; nanmean(M,1,where=M) ; nanmean(U8,0,'f4') ; nanmean(N[:,:1]*np.nan,1)
nanmax(N,0) ; nanmax(C) ; nanmax(U8,0,initial=300) ; nanmax(M,0) ; nanmax(C,where=M,initial=0) ; nanmax(C,out=O(np.zeros(()))) ;
nanmax(E0,1) ; nanmax(N[:1]*np.nan,1) ; nanmax(Z) ; nanmax(N,initial=10)
nanmin(N) ; nanmin(N,0,keepdims=True)
nanstd(N,0) ; nanstd(F4) ; nanstd(C,1) ; nanstd(M,correction=1)
nanvar(N,1,ddof=1) ; nanvar(N) ; nanvar(U8,0,'f4',ddof=1) ; nanvar(C,0,where=M) ; nanvar(C,mean=2)
nanargmax(N,0) ; nanargmax(N*np.nan,0) ; nanargmax(N,1,keepdims=True) ; nanargmax(C) ; nanargmax(U8,1) ; nanargmax(M,0,keepdims=True) ;
nanargmax(C,5)
nanargmin(N)
nancumsum(N,0)
nancumprod(N,1)
nanmedian(N,0) ; nanmedian(N) ; nanmedian(N,(0,1),keepdims=True) ; nanmedian(F4,1)
nanpercentile(N,30,axis=0) ; nanpercentile(N,[10,20],axis=1,method='nearest') ; nanpercentile(N,130)
nanquantile(N,.3)
average(A,1) ; average(A,1,weights=np.arange(6.)) ; average(A,weights=np.abs(B)) ; average(A,0,weights=np.ones(4),returned=True) ;
average(A,returned=True) ; average(C,0) ; average(A,0,weights=np.zeros(4)) ; average(A,0,weights=np.ones(5)) ;
average(A,weights=np.ones(6)) ; average(C,1,weights=[1,2,3,1,1,1]) ; average(F4,0,weights=np.ones(4)) ;
average(A,1,keepdims=True,weights=np.ones(6))
median(A,0) ; median(C) ; median(C,(0,1)) ; median(A,1,keepdims=True) ; median(N) ; median(E0) ; median(F2) ; median(M) ; median(F4,0) ;
median(U8,1) ; median(I8) ; median(A,keepdims=True) ; median(A,-3)
percentile(A,[10,90],axis=0) ; percentile(A,50,method='nearest')
quantile(A,.25) ; quantile(A,1.5)
count_nonzero(A) ; count_nonzero(C,1) ; count_nonzero(C,(0,1)) ; count_nonzero(C,keepdims=True) ; count_nonzero(Z,0)
diff(A) ; diff(C,2,1) ; diff(M) ; diff(A,0) ; diff(A,-1) ; diff(V,prepend=0) ; diff(V,append=[1,2]) ; diff(A,axis=0,prepend=0.5) ;
diff(V[0]) ; diff(U8) ; diff(C,prepend=0.5) ; diff(A,axis=3)
ediff1d(V) ; ediff1d(V,to_end=[9,9],to_begin=1.) ; ediff1d(C) ; ediff1d(C,to_end=1.5) ; ediff1d(A)
trapezoid(V) ; trapezoid(A,axis=0) ; trapezoid(A,x=np.arange(6.)**2) ; trapezoid(A,x=np.arange(4.),axis=0) ; trapezoid(C,dx=2) ;
trapezoid(A,x=B) ; trapezoid(A,np.arange(5.))
gradient(V) ; gradient(A) ; gradient(A,2.,3.) ; gradient(V,V**3) ; gradient(V,edge_order=2) ; gradient(A,axis=0) ; gradient(C) ;
gradient(F4) ; gradient(V[:1]) ; gradient(A,1,2,3) ; gradient(A,np.arange(4.),np.arange(6.)) ; gradient(Z,axis=1) ;
gradient(A,axis=(1,0))
cov(A) ; cov(A,rowvar=False) ; cov(A,bias=True) ; cov(V,V**2) ; cov(A,aweights=np.ones(6)) ; cov(C) ; cov(Z) ; cov(F4) ; cov(A,ddof=0) ;
cov(V) ; cov(T3) ; cov(A,dtype='f4')
corrcoef(A) ; corrcoef(V,V**3) ; corrcoef(Z) ; corrcoef(A,rowvar=False) ; corrcoef(V)
reshape(A,(2,-1,3)) ; reshape(A,(-1,-1)) ; reshape(A,24,order='F') ; reshape(A,(5,-1)) ; reshape(E0,(3,0)) ; reshape(E0,-1) ;
reshape(A,(3,8),copy=True) ; reshape(A,(3,8),order='A') ; reshape(A,'x') ; reshape(A,2.0) ; reshape(A,()) ; reshape(V[:1],())
ravel(A,'F') ; ravel(A.T) ; ravel(A,'K') ; ravel(A.T,'A') ; ravel(A,'Q')
transpose(A,(1,0)) ; transpose(A,(-1,0)) ; transpose(T3,(0,1)) ; transpose(A,(0,2))
swapaxes(A,0,-1)
moveaxis(T3,[0,1],[1,0]) ; moveaxis(T3,[0,0],[1,0]) ; moveaxis(T3,0,[1,2])
rollaxis(T3,2) ; rollaxis(T3,0,3) ; rollaxis(T3,4) ; rollaxis(T3,1,9)
matrix_transpose(T3) ; matrix_transpose(V)
permute_dims(T3,(2,0,1))
squeeze(A[:,None],axis=0) ; squeeze(A[None],(0,)) ; squeeze(V[:1])
expand_dims(A,-1) ; expand_dims(A,5) ; expand_dims(A,(0,0))
atleast_1d(V[0],A) ; atleast_1d(A)
atleast_2d(V)
atleast_3d(A) ; atleast_3d(V)
broadcast_to(A,(3,4,6)) ; broadcast_to(A,(6,)) ; broadcast_to(V,9)
broadcast_arrays(A,A[:,:1],1.) ; broadcast_arrays(A,V)
flip(A,(0,1)) ; flip(A,2)
flipud(A) ; flipud(V[0])
fliplr(A) ; fliplr(V)
rot90(A,-1) ; rot90(A,5) ; rot90(T3,1,(1,2)) ; rot90(A,1,(0,0)) ; rot90(V)
diagonal(A,10) ; diagonal(V) ; diagonal(T3,0,0,2) ; diagonal(A,0,0,0)
diag(V,2) ; diag(A,-1) ; diag(T3) ; diag(V[0])
diagflat(A) ; diagflat(V,1)
trace(T3) ; trace(C,dtype='f4') ; trace(V) ; trace(U8) ; trace(A,out=O(np.zeros(())))
concatenate([A,C]) ; concatenate([A,B],axis=2) ; concatenate([]) ; concatenate([A,[[1,2,3,4,5,6]]]) ; concatenate([A,V]) ;
concatenate([U8,I8],axis=None) ; concatenate([A,B],dtype='f4') ; concatenate([A,B],dtype='i4') ;
concatenate([A,B],dtype='i4',casting='unsafe') ; concatenate([A,B],out=O(np.zeros((8,6)))) ; concatenate([A,B],out=O(np.zeros((8,5)))) ;
concatenate([V[0],V]) ; concatenate((M,A)) ; concatenate([F4,C]) ; concatenate([A,B],out=O(np.zeros((8,6),int))) ;
concatenate([A,B],1.0) ; concatenate([A,T3])
stack([A,B],-1) ; stack([A,B],3) ; stack([A,V]) ; stack([]) ; stack([A,C],dtype='f4') ; stack([U8,I8]) ; stack(A) ;
stack([A,B],out=O(np.zeros((2,4,6))))
vstack([V,V[None]]) ; vstack([A,C]) ; vstack([A,V]) ; vstack([A,B],dtype='f4') ; vstack(T3)
hstack([A,B]) ; hstack([V,V]) ; hstack([V[0],V[1]]) ; hstack([]) ; hstack(T3)
dstack([V,V]) ; dstack([A,B])
column_stack([V,V,np.ones((9,2))])
block([[A,B],[B,A]]) ; block([V,1]) ; block([[A],[B,B]]) ; block(A) ; block([[[A]],[[B]]])
unstack(A) ; unstack(A,axis=1)
row_stack([V,V])
split(A,2) ; split(A,3) ; split(A,[1,3]) ; split(A,[3,1]) ; split(V,2,axis=1) ; split(A,np.array([1,2]))
array_split(V,4) ; array_split(A,[2],axis=1) ; array_split(V,0) ; array_split(A,[1,10]) ; array_split(A,[-1])
hsplit(A,3) ; hsplit(V,3) ; hsplit(V[0],1)
vsplit(A,2) ; vsplit(V,3)
dsplit(T3,2)
tile(A,(2,1,2)) ; tile(V,0) ; tile(V,(2,2)) ; tile(V,()) ; tile(V[0],3)
repeat(A,2) ; repeat(A,[1,2,3,0],axis=0) ; repeat(A,[2],axis=1) ; repeat(A,[1,2]) ; repeat(A,-1) ; repeat(A,1.5) ; repeat(V[0],3) ;
repeat(A,0,axis=1)
roll(A,1) ; roll(A,(1,-2),(0,1)) ; roll(A,(1,1),0) ; roll(A,1,(0,1)) ; roll(A,1,5) ; roll(E0,1) ; roll(V,100) ; roll(A,(1,2),axis=1) ;
roll(A,(1,2)) ; roll(A,[1,2],[0,1])
pad(A,1) ; pad(A,((1,2),(0,1))) ; pad(A,(1,2)) ; pad(A,[1]) ; pad(V,2,constant_values=(1,2)) ; pad(V,2,'edge') ; pad(A,1,'reflect') ;
pad(A,2,'wrap') ; pad(A,1,'symmetric') ; pad(A,1,'mean') ; pad(A,-1) ; pad(A,1.5) ; pad(A,1,'nonsense') ; pad(A,((1,1),(1,1),(1,1))) ;
pad(C,1,constant_values=2.7) ; pad(A,{0:(1,2)}) ; pad(A,1,foo=3) ; pad(A,1,'edge',constant_values=3) ; pad(E0,1,'edge') ;
pad(V,1,'reflect',reflect_type='odd') ; pad(V,2,'linear_ramp',end_values=5) ; pad(U8,1,constant_values=3) ; pad(A,0) ;
pad(V,20,'reflect') ; pad(A,((1,2),))
append(A,V) ; append(A,B,1) ; append(A,V,0)
delete(A,[0,-1],1) ; delete(A,slice(1,3),0) ; delete(A,9,0) ; delete(A,3) ; delete(V,np.array([True]+[False]*8))
insert(V,2,9.) ; insert(A,1,5,axis=1) ; insert(V,[1,3],[7,8]) ; insert(V,slice(0,3),1) ; insert(A,9,1,axis=0) ; insert(A,0,1,axis=5) ;
insert(A,[0,0],B[:2],0) ; insert(C,0,2.7) ; insert(V,np.array([True]+[False]*8),1)
resize(V,(2,3)) ; resize(V,(4,5)) ; resize(A,0) ; resize(A,(-1,2)) ; resize(E0,(2,2))
trim_zeros(np.array([0,1,0]))
unwrap(V*3) ; unwrap(A*9,axis=0) ; unwrap(C,period=4) ; unwrap(V*3,discont=4.)
tril(A,1) ; tril(V) ; tril(V[0]) ; tril(M) ; tril(U8,-2)
triu(A,-1) ; triu(T3)
meshgrid(V[:2],V[:3],V[:4]) ; meshgrid(V,indexing='xx') ; meshgrid(V[:2],V[:3],copy=False) ; meshgrid(V) ; meshgrid() ; meshgrid(V[0],V) ;
meshgrid(A[0],C[0],sparse=True)
vander(V) ; vander(V,3,increasing=True) ; vander(C[0]) ; vander(A) ; vander(V,0)
zeros_like(A) ; zeros_like(A,dtype=int) ; zeros_like(3.0)
ones_like(C,shape=(2,2)) ; ones_like(M)
full_like(C,2.7) ; full_like(A,V[:6]) ; full_like(A,V) ; full_like(U8,300) ; full_like(A,1,dtype='i2')
full((2,2),V[:2]) ; full(3,V)
array(A,dtype='f4') ; array(A,ndmin=3) ; array([A,B]) ; array([V[0],V[1]]) ; array([[V[0],1],[2,3]]) ; array([A,V]) ;
array(A,copy=False) ; array(A,copy=None) ; array(A,dtype='i4',copy=False) ; array(A,order='F') ; array(A,dtype=object) ;
array(A,dtype=str)
asarray(A,dtype='i8') ; asarray([V[0],2])
copy(A)
ascontiguousarray(A.T) ; ascontiguousarray(V[0])
asfortranarray(A) ; asfortranarray(V[0]) ; asfortranarray(A,'f4')
asanyarray(A)
require(A)
asarray_chkfinite(A) ; asarray_chkfinite(N)
linspace(V[0],V[1],5) ; linspace(V[:2],V[2:4],5) ; linspace(V[:2],V[2:4],5,axis=1) ; linspace(V[0],1,5,retstep=True) ;
linspace(V[0],1,5,dtype=int) ; linspace(V[0],1,0) ; linspace(V[0],1,-1) ; linspace(C[0],C[1],4) ; linspace(Z[0],1,4)
logspace(V[0],V[1],4) ; logspace(V[:2],3,4,base=2,axis=1)
geomspace(V[-1],9,4) ; geomspace(V[-2:],9,4) ; geomspace(V[4]*0,9,4)
arange(V[-1]) ; arange(V[0],V[3],.5) ; arange(C[0,3])
astype(A,'f4') ; astype(A,int,copy=False) ; astype([1],'f4') ; astype(A,'S3')
dot(A,V) ; dot(V,V) ; dot(T3,T3) ; dot(T3,A[:,:2]) ; dot(Z,B.T) ; dot(M,M.T) ; dot(U8,I8.T) ; dot(E0,E0.T) ; dot(E0.T,E0) ;
dot(A,B.T,out=O(np.zeros((4,4)))) ; dot(A,B.T,out=O(np.zeros((4,5)))) ; dot(A,B.T,out=O(np.zeros((4,4),'f4'))) ; dot(F4,C.T) ;
dot(F2,F2.T) ; dot(2,A) ; dot(V[0],V[1])
vdot(A,B) ; vdot(V,Z) ; vdot(C,C)
inner(A,V[:6]) ; inner(A,T3) ; inner(2,A) ; inner(Z,Z) ; inner(A,V)
outer(A,B) ; outer(C,V) ; outer(V,V,out=O(np.zeros((9,9)))) ; outer(2,V) ; outer(V,V,out=O(np.zeros((9,8))))
matmul(A,B.T) ; matmul(A,V) ; matmul(V[0],A) ; matmul(T3,T3) ; matmul(T3,A[:,:2]) ; matmul(V[:3],T3) ;
matmul(A,B.T,out=O(np.zeros((4,4)))) ; matmul(A,B.T,out=O(np.zeros((4,4),int))) ; matmul(A,B.T,dtype='f4') ; matmul(M,M.T) ;
matmul(E0,E0.T) ; matmul(U8,U8.T) ; matmul(A,B.T,axes=[(0,1),(0,1),(0,1)])
vecdot(A,B) ; vecdot(Z,Z) ; vecdot(A,V) ; vecdot(A,B[0]) ; vecdot(A,B,axis=0) ; vecdot(M,M) ; vecdot(C,A)
matvec(A,V[:6]) ; matvec(T3,V[:4]) ; matvec(A,V)
vecmat(V[:4],A) ; vecmat(Z[:,0],Z)
tensordot(A,B) ; tensordot(A,B,0) ; tensordot(A,B,([1],[1])) ; tensordot(A,B,(1,1)) ; tensordot(T3,A,([0],[1])) ; tensordot(A,B,3) ;
tensordot(A,B,(-1,-1)) ; tensordot(C,C,([0,1],[0,1])) ; tensordot(A,B,([0,1],[1]))
kron(A,V) ; kron(V,2) ; kron(C,M)
cross(V[:3],V[3:6]) ; cross(V[:2],V[:2]) ; cross(A[:3].T,B[:3].T) ; cross(A[:3],B[:3],axis=0) ; cross(A,B) ; cross(C[:,:3],A[:,:3]) ;
cross(A[:,:3],V[:3]) ; cross(A[:,:3],B[:,:3],axisc=0)
einsum('ij,jk',A,B.T) ; einsum('ij->ji',A) ; einsum('ii',S) ; einsum('i,j->ij',V,V) ; einsum('...j,j->...',T3,V[:4]) ;
einsum('ij,kj,lk->il',A,B,S) ; einsum('ij,ij,ij->i',A,B,A) ; einsum(A,[0,1],B,[0,1],[0]) ; einsum('ij,jk',A,B) ; einsum('ij->k',A) ;
einsum('ij->iij',A) ; einsum('ij,',A,2.0) ; einsum('i->',C[0]) ; einsum('ij,jk->ik',A,B.T,out=O(np.zeros((4,4)))) ;
einsum('ij,jk->ik',A,B.T,optimize=True) ; einsum('ij,ji->',A,B.T) ; einsum('ijk,ilk->ijl',T3,T3) ; einsum('iij->j',T3[:,:2]) ;
einsum('ij,jk->ik',M,M.T) ; einsum('ij->',U8) ; einsum('ij,jk,kl,lm->im',A,B.T,S,A) ; einsum('ij',A) ; einsum('ijk->kji',T3) ;
einsum('i,i',Z[0],V[:6]) ; einsum('ij,jk->ik',A,B.T,dtype='f4') ; einsum('bij,bjk->bik',T3,T3.swapaxes(1,2)) ; einsum('ij,j->i',A,V[:1]) ;
einsum('',V[0]) ; einsum('i...->...',T3) ; einsum('ij, jk -> ik',A,B.T) ; einsum('ii->i',S)
where(M,A,0) ; where(M,C,2.5) ; where(A,B,A) ; where(M,A) ; where(M) ; where(M,U8,I8) ; where(M,F4,1.) ; where(M,F4,V[0]) ;
where(True,A,B) ; where(M[0],A,V[0]) ; where(M,A,V) ; where(M,1,0) ; where(M,1,0.5) ; where(M,U8,300) ; where(M,'a','b') ; where(M,1j,A)
clip(C,1.5,4) ; clip(A,0,None) ; clip(A,None,0) ; clip(A,None,None) ; clip(A) ; clip(U8,-1,3) ; clip(U8,1,300) ; clip(A,B,B+1) ;
clip(N,0,1) ; clip(A,min=0,max=1) ; clip(A,0,1,min=0) ; clip(A,-1,1,out=O(np.zeros((4,6)))) ; clip(A,-1,1,out=O(np.zeros((4,6),int))) ;
clip(Z,0,1) ; clip(A,0,1,dtype='f4') ; clip(A,1,0) ; clip(M,0,1) ; clip(I8,V[0],3) ; clip(F4,0,1) ; clip(F4,np.float64(0),1) ;
clip(A,max=2.)
round(A,1) ; round(A,-1) ; round(C,-1) ; round(Z,1) ; round(F4,2) ; round(F2,1) ; round(M) ; round(A,out=O(np.zeros((4,6)))) ;
round(A*1e300,3) ; round(A,400) ; round(N) ; round(C,1) ; round(U8) ; round(A,1,out=O(np.zeros((4,6),int)))
around(A,3)
fix(A) ; fix(C) ; fix(A,O(np.zeros((4,6)))) ; fix(Z)
select([M,C>3],[A,C]) ; select([M,~M],[C,U8],9) ; select([M],[A,B]) ; select([],[]) ; select([C],[A]) ; select([M,M],[A,1j]) ;
select([M[0]],[A])
choose(C%2,[A,B]) ; choose(C,[A,B]) ; choose(C,[A,B],mode='clip') ; choose(C%2,[A,2]) ; choose(C[0]%2,[A,C],mode='wrap') ; choose(M,(U8,I8))
piecewise(V,[V<0,V>=0],[lambda x:-x,lambda x:x])
extract(M,A)
compress([True,False,True],A,axis=0) ; compress(M[:,0],A,0) ; compress([1,0,1],A) ; compress([True]*9,A,0)
take(A,[0,1]) ; take(A,[0,-1],1) ; take(A,2) ; take(A,[[0,1],[2,3]],axis=0) ; take(A,[100]) ; take(A,100) ; take(A,[9],1,mode='clip') ;
take(A,[9],1,mode='wrap') ; take(A,[0.5]) ; take(A,[]) ; take(A,C%4,0) ; take(A,[0],out=O(np.zeros(1))) ; take(A,[True]) ; take(V,3,0) ;
take(A,[0],2) ; take(A,C[0,1]) ; take(A,[0],0,O(np.zeros((1,6),'f4')))
take_along_axis(A,np.argsort(A,0),0) ; take_along_axis(A,np.argmax(A,1)[:,None],1) ; take_along_axis(A,C,1) ;
take_along_axis(A,np.argsort(A,None),None) ; take_along_axis(A,V,0) ; take_along_axis(A,A,0) ; take_along_axis(A,C[0],1) ;
take_along_axis(A,C[:1]%4,0) ; take_along_axis(A,C[:2],1) ; take_along_axis(A[:1],C%6,1) ; take_along_axis(V,C[0])
sort(A,None) ; sort(C,0) ; sort(Z) ; sort(N,1) ; sort(M) ; sort(F2) ; sort(A,2) ; sort(A,kind='stable') ; sort(A,kind='foo') ;
sort(A,stable=True) ; sort(A,kind='quick',stable=True) ; sort(V[0])
argsort(C,kind='stable') ; argsort(A,None) ; argsort(V[0])
partition(V,3) ; partition(A,(1,3)) ; partition(A,2,None) ; partition(A,9) ; partition(A,1,5)
argpartition(V,3) ; argpartition(A,1,axis=0)
lexsort((C[0],C[1])) ; lexsort(A) ; lexsort((C,A),axis=0) ; lexsort(()) ; lexsort((A[0],V))
sort_complex(V) ; sort_complex(Z) ; sort_complex(C) ; sort_complex(F4)
searchsorted(V,[0.,9,-9]) ; searchsorted(V,C) ; searchsorted(V,0.2,'right') ; searchsorted(V,0.2,'foo') ; searchsorted(A,1) ;
searchsorted(C[0,:3],V) ; searchsorted(V[::-1],[1],sorter=np.arange(9)[::-1]) ; searchsorted(V,np.nan) ; searchsorted(V,[]) ;
searchsorted(V,Z)
digitize(A,V) ; digitize(A,V[::-1],right=True) ; digitize(A,A[0]) ; digitize(A,A) ; digitize(0.5,V)
interp(0.5,V,V**2) ; interp(A,V,V**2,left=-1.) ; interp(A,V,V[:3]) ; interp(A,V,V,period=2.) ; interp([1,2],V,V**3) ; interp(A,V,V*1j) ;
interp(N,V,V) ; interp(A,[],[]) ; interp(A,V[:1],V[:1]) ; interp(C,C[0,:6],V[:6]) ; interp(F4,V,V) ; interp(V,V,V**2,right=7) ;
interp(F4,F4[0].cumsum(),F4[1]) ; interp(F4,F4[0],F4[1],period=2.) ; interp(F2,F2[0].cumsum(),F2[1])
convolve(V,V) ; convolve(V,[1,2,1],'valid') ; convolve(V,[1,2],'same') ; convolve(C[0],C[1]) ; convolve([],V) ; convolve(V,V,'x') ;
convolve(A,V) ; convolve(V,2) ; convolve(V,[1,2,3,4],'same') ; convolve(V[:3],V,'valid') ; convolve(V[:4],V,'same') ; convolve(Z[0],V) ;
convolve(M[0],M[1])
correlate(V,V[:3]) ; correlate(V,V[:3],'full') ; correlate(V[:2],V) ; correlate(Z[0],Z[1],'same') ; correlate(C[0],C[1]) ;
correlate([],V) ; correlate(V,V,'x') ; correlate(A,V)
nan_to_num(N,nan=7) ; nan_to_num(C) ; nan_to_num(np.array([np.inf,-np.inf,1])) ; nan_to_num(F4,posinf=3) ; nan_to_num(Z) ;
nan_to_num(V[0])
sinc(A) ; sinc(C) ; sinc(F4) ; sinc(Z)
i0(V) ; i0(V*20) ; i0(C) ; i0(Z) ; i0(V[0]) ; i0(F4)
real(A) ; real(V[0])
imag(A) ; imag(Z)
angle(Z,deg=True) ; angle(C) ; angle(F4) ; angle(Z.astype('F'))
conj(Z)
conjugate(A)
real_if_close(Z)
iscomplex(Z)
isreal(Z)
isneginf(A)
isposinf(A) ; isposinf(Z)
isclose(A,B) ; isclose(N,N,equal_nan=True) ; isclose(N,N) ; isclose(A,V) ; isclose(C,C+1) ;
isclose(np.array([np.inf,1,-np.inf]),np.array([np.inf,np.inf,np.inf])) ; isclose(U8,I8) ; isclose(Z,Z) ; isclose(M,M) ; isclose(F4,A) ;
isclose(A,A+1e-9,rtol=0,atol=1e-10) ; isclose(V[0],V[0])
allclose(A,A) ; allclose(A,B) ; allclose(A,V) ; allclose(N,N,equal_nan=True)
array_equal(A,A) ; array_equal(A,V) ; array_equal(N,N,equal_nan=True)
array_equiv(A,A[:1])
unique(C) ; unique(C,return_counts=True)
nonzero(C) ; nonzero(V[0])
flatnonzero(C)
argwhere(C)
histogram(A) ; histogram(A,5,(-1,1)) ; histogram(A,V) ; histogram(A,weights=B) ; histogram(C,density=True) ; histogram(A,'auto') ;
histogram(A,0) ; histogram(A,V[::-1]) ; histogram(F4) ; histogram(A,[0,1,5],weights=B)
bincount(C.ravel()) ; bincount(C[0],weights=V[:6])
isin(C,[1,2]) ; isin(C,A,invert=True) ; isin(3,C)
union1d(C,U8)
intersect1d(C,[1,2,9])
setdiff1d(C,[1])
polyfit(V,V**2,2) ; polyfit(V,V,-1) ; polyfit(V,V[:3],1) ; polyfit(V[:4],A,1) ; polyfit(V,V**2,1,full=True) ; polyfit(V,V**3,2,cov=True)
polyval([1,2,3],V) ; polyval(V[:3],A)
poly(V) ; poly(A[:,:4]) ; poly(Z[0]) ; poly([])
roots([1.,-3,2])
histogram_bin_edges(A,5) ; histogram_bin_edges(A,'fd')
histogramdd(A.T,3) ; histogramdd((V,V),[2,3])
histogram2d(V,V) ; histogram2d(V,V**2,[3,4]) ; histogram2d(V,V,weights=V) ; histogram2d(V,V[:3])
apply_along_axis(np.sum,0,A)
apply_over_axes(np.sum,T3,[0,2]) ; apply_over_axes(np.sum,T3,5)
unpackbits(U8) ; unpackbits(U8,axis=1,count=5) ; unpackbits(U8,count=-3,bitorder='little') ; unpackbits(C)
packbits(M) ; packbits(M,axis=1) ; packbits(C,0,'little') ; packbits(A)
unravel_index(C,(4,6)) ; unravel_index(C+99,(4,6)) ; unravel_index(5,(4,6)) ; unravel_index(C,(4,6),order='F')
ravel_multi_index((C%4,C%6),(4,6)) ; ravel_multi_index((C,C),(4,6)) ; ravel_multi_index((C,C),(4,6),mode=('clip','wrap'))
ix_([0,1],[2])
polyadd(V,V[:3]) ; polyadd(C[0],2) ; polyadd(np.poly1d([1,2]),V)
polymul(V,V[:2]) ; polymul(C[0],[1,1])
polysub(V,V[:3]) ; polysub(2,V)
polydiv(V,V[:2]) ; polydiv(V[:2],V)
polyder(V) ; polyder(V,2) ; polyder(V,-1)
polyint(V[:3]) ; polyint(V,2,[1,2]) ; polyint(V,1,[1,2])
tril_indices(3) ; tril_indices(3,1,4)
triu_indices(3)
diag_indices(3,2)
tril_indices_from(A) ; tril_indices_from(T3)
triu_indices_from(A,1)
diag_indices_from(S) ; diag_indices_from(A)
indices((2,3)) ; indices((2,3),sparse=True)
fromfunction(lambda i,j:i+j,(3,4))
fromiter([1.,2],float)
tri(3,4,1)
hanning(7)
kaiser(5,2.)
may_share_memory(A,A)
shape(A)
ndim(A)
size(A,1) ; size(A,(0,1)) ; size(A,3)
result_type(F4,1.) ; result_type(F4,A) ; result_type(V[0],F4)
common_type(F4,C)
can_cast(C,'f4')
isscalar(A)
isrealobj(Z)
iterable(A)
min_scalar_type(C)
isfortran(A.T)
add(A,B,dtype='f4') ; add(A,B,dtype='i4') ; add(C,C,dtype='i2',casting='unsafe') ; add(A,V) ; add(A,B,out=(O(np.zeros((4,6))),)) ;
add(A,B,foo=1) ; add(A) ; add(A,B,where=M,out=O(np.ones((4,6)))) ; add(U8,300) ; add(U8,-1) ; add(F4,1e300) ; add(U8,I8) ; add(M,M) ;
add(A,B,casting='no') ; add(A,C,casting='no') ; add(A,B,order='X') ; add('a','b') ; add(A,None) ; add(A,'x') ; add(A,[1,2,3,4,5,6]) ;
add(A,[[1],[2]])
subtract(M,M)
negative(M)
power(C,-1) ; power(C,2) ; power(C,C) ; power(A,.5)
floor_divide(C,0)
remainder(I8,3)
divmod(A,B)
modf(A) ; modf(A,O(np.zeros((4,6))),O(np.zeros((4,6))))
frexp(A)
ldexp(A,C)
left_shift(C,2)
invert(A)
bitwise_count(U8)
float_power(C,2)
copysign(A,-1)
spacing(A)
nextafter(A,0)
gcd(C,4)
lcm(C,U8)
hypot(A,B)
heaviside(A,.5)
sign(Z) ; sign(N)
signbit(A)
isnat(A)
logaddexp(A,B)
arctan2(A,B)
degrees(C)
cbrt(A)
exp(U8) ; exp(M) ; exp(A,O(np.zeros((4,6)))) ; exp(A,order='F') ; exp(A,dtype=int) ; exp(C,dtype='f4') ; exp(A,signature='d->d') ;
exp(A,signature='f->f')
sqrt(I8)
reciprocal(C+1)
fmod(C,3)
trunc(A) ; trunc(C)
ceil(M)
rint(C)
absolute(Z)
fabs(Z)
logical_xor(A,B)
maximum(A,N)
fmax(A,N)
isfinite(C)
square(I8)
equal(A,'x')
add.reduce(A) ; add.reduce(A,(0,1)) ; add.reduce(A,None,keepdims=True) ; add.reduce(V[0]) ; add.reduce(A,0,dtype='f4') ;
add.reduce(A,axis=0,where=M) ; add.reduce(A,5) ; add.reduce(A,0,out=O(np.zeros(6))) ; add.reduce(A,0,initial=None)
subtract.reduce(A) ; subtract.reduce(A,(0,1))
divide.reduce(A,1)
maximum.reduce(E0) ; maximum.reduce(A,None) ; maximum.reduce(A,0,initial=None,where=M)
minimum.reduce(A,1,initial=-9)
logical_and.reduce(A,1)
multiply.reduce(U8,1)
logaddexp.reduce(A,1) ; logaddexp.reduce(A,(0,1))
hypot.reduce(A,0)
gcd.reduce(C,0)
bitwise_xor.reduce(C,(0,1))
arctan2.reduce(A,0)
power.reduce(A,0)
sin.reduce(A)
matmul.reduce(A)
equal.reduce(A)
add.accumulate(A,1) ; add.accumulate(V[0]) ; add.accumulate(A,4) ; add.accumulate(A,0,dtype='f4')
subtract.accumulate(A)
maximum.accumulate(N,1)
multiply.accumulate(U8)
logical_or.accumulate(A)
divide.accumulate(A)
sin.accumulate(A)
add.outer(V,V) ; add.outer(A,B,dtype='f4')
subtract.outer(A,V)
multiply.outer(2,V)
maximum.outer(C,V)
add.reduceat(V,[0,3,5])
sin.outer(A,A)
equal.outer(V,V)
linalg.norm(A,1) ; linalg.norm(A,np.inf) ; linalg.norm(A,-1) ; linalg.norm(A,2) ; linalg.norm(A,'nuc') ; linalg.norm(A,'x') ;
linalg.norm(V,3) ; linalg.norm(V,0) ; linalg.norm(V,-np.inf) ; linalg.norm(Z) ; linalg.norm(Z,axis=1) ; linalg.norm(A,axis=(0,1)) ;
linalg.norm(A,1,axis=(0,1)) ; linalg.norm(T3,axis=(0,2)) ; linalg.norm(T3) ; linalg.norm(T3,2) ; linalg.norm(C) ; linalg.norm(F4) ;
linalg.norm(F4,1,axis=0) ; linalg.norm(A,keepdims=True) ; linalg.norm(A,axis=0,keepdims=True) ; linalg.norm(V,'fro') ; linalg.norm(V[0]) ;
linalg.norm(F2) ; linalg.norm(A,axis=(0,1,1)) ; linalg.norm(A,axis=3) ; linalg.norm(V,np.inf,0) ; linalg.norm(E0) ; linalg.norm(V,True) ;
linalg.norm(V,-1) ; linalg.norm(M) ; linalg.norm(A,1,None,True)
linalg.solve(S,A) ; linalg.solve(S,V) ; linalg.solve(A,A) ; linalg.solve(np.zeros((3,3)),V[:3]) ; linalg.solve(np.stack([S,S]),A) ;
linalg.solve(np.stack([S,S]),np.stack([A,A])) ; linalg.solve(S.astype('f4'),A) ; linalg.solve(C[:,:4]+9*np.eye(4,dtype=int),C) ;
linalg.solve(S,Z) ; linalg.solve(S.astype('f2'),A)
linalg.inv(S) ; linalg.inv(C[:3,:3]) ; linalg.inv(V) ; linalg.inv(np.stack([S,2*S])) ; linalg.inv(F4[:,:4]) ;
linalg.inv(M[:4,:4]+2.*np.eye(4))
linalg.det(S) ; linalg.det(C[:4,:4]) ; linalg.det(V) ; linalg.det(Z[:,:4]) ; linalg.det(E0)
linalg.slogdet(S) ; linalg.slogdet(A)
linalg.cholesky(S) ; linalg.cholesky(S,upper=True) ; linalg.cholesky(A) ; linalg.cholesky(-S) ; linalg.cholesky(np.stack([S,S]))
linalg.eigh(S) ; linalg.eigh(S,'U') ; linalg.eigh(S,'X') ; linalg.eigh(Z[:,:4])
linalg.eigvalsh(S)
linalg.eigvals(S)
linalg.eig(S)
linalg.qr(A) ; linalg.qr(A,'r') ; linalg.qr(A,'complete') ; linalg.qr(A,'x') ; linalg.qr(A.T) ; linalg.qr(T3)
linalg.svd(A) ; linalg.svd(A,full_matrices=False) ; linalg.svd(A,compute_uv=False) ; linalg.svd(S) ; linalg.svd(S,hermitian=True) ;
linalg.svd(V) ; linalg.svd(T3)
linalg.svdvals(A)
linalg.pinv(A) ; linalg.pinv(A,rcond=.1) ; linalg.pinv(S,hermitian=True) ; linalg.pinv(T3) ; linalg.pinv(V) ; linalg.pinv(E0)
linalg.matrix_rank(A) ; linalg.matrix_rank(T3) ; linalg.matrix_rank(V) ; linalg.matrix_rank(A,tol=1.) ; linalg.matrix_rank(V[0])
linalg.cond(A) ; linalg.cond(S,1) ; linalg.cond(S,'fro') ; linalg.cond(V) ; linalg.cond(T3) ; linalg.cond(S,-2)
linalg.lstsq(A.T,V[:6])
linalg.matrix_power(S,0) ; linalg.matrix_power(S,-2) ; linalg.matrix_power(S,5) ; linalg.matrix_power(A,2) ; linalg.matrix_power(S,1.5)
linalg.multi_dot([A,B.T,S]) ; linalg.multi_dot([A,B.T]) ; linalg.multi_dot([V[:4],S,A]) ; linalg.multi_dot([A,B.T,S,A,V[:6]]) ;
linalg.multi_dot([A]) ; linalg.multi_dot([A,B])
linalg.tensorsolve(np.eye(24).reshape(4,6,24),A)
linalg.trace(A) ; linalg.trace(T3)
linalg.outer(V,V) ; linalg.outer(A,V)
linalg.diagonal(T3)
linalg.cross(A[:,:3],B[:,:3])
linalg.vecdot(A,B)
linalg.matmul(A,B.T)
linalg.tensordot(A,B)
linalg.vector_norm(A) ; linalg.vector_norm(A,axis=0) ; linalg.vector_norm(A,axis=(0,1),ord=3,keepdims=True)
linalg.matrix_norm(T3) ; linalg.matrix_norm(A,ord=1)
linalg.matrix_transpose(T3)
linalg.tensorinv(np.eye(24).reshape(4,6,24))
fft.fft(A,axis=0) ; fft.fft(A,3) ; fft.fft(A,9) ; fft.fft(A,0) ; fft.fft(A,axis=3) ; fft.fft(C) ; fft.fft(F4) ; fft.fft(A,norm='x') ;
fft.fft(A,norm='forward') ; fft.fft(M) ; fft.fft(V[0]) ; fft.fft(A,out=O(np.zeros((4,6),complex))) ; fft.fft(F2) ; fft.fft(E0.T)
fft.ifft(Z)
fft.rfft(Z) ; fft.rfft(A,norm='ortho')
fft.irfft(Z,7) ; fft.irfft(Z) ; fft.irfft(A[:,:1]) ; fft.irfft(V)
fft.hfft(Z) ; fft.hfft(A,5,0,'ortho') ; fft.hfft(V,0)
fft.ihfft(A) ; fft.ihfft(A,3) ; fft.ihfft(Z)
fft.rfft2(A)
fft.irfft2(Z)
fft.rfftn(T3) ; fft.rfftn(A,axes=(0,))
fft.irfftn(Z) ; fft.irfftn(Z,s=(4,7))
fft.fftn(T3,axes=(0,2)) ; fft.fftn(T3,(2,2),(0,1)) ; fft.fftn(A,s=(3,4))
fft.fft2(T3) ; fft.fft2(V) ; fft.fft2(A,norm='ortho')
fft.ifft2(A)
fft.ifftn(A)
fft.fftshift(A) ; fft.fftshift(A,1) ; fft.fftshift(A,(0,1))
fft.ifftshift(A,5)
fft.fftfreq(8,.1)
fft.rfftfreq(7)
"""


def grouped():
    """{function name: its calls}, for the names that this NumPy has."""
    groups = {}
    for line in CALLS.strip().splitlines():
        for call in line.removesuffix(";").split(" ; "):
            groups.setdefault(call.partition("(")[0], []).append(call.strip())
    return {name: calls for name, calls in groups.items() if look_up(np, name) is not None}


def look_up(namespace, name):
    for part in name.split("."):
        namespace = getattr(namespace, part, None)
    return namespace


def answer(namespace, call, convert):
    """What a call returns (or raises), and the arrays that it was given as outputs."""
    outs = []

    def target(x):
        outs.append(convert(x))
        return outs[-1]

    name = call.partition("(")[0]
    space = {key: convert(value) for key, value in DATA.items()} | {"np": np, "O": target, "F": look_up(namespace, name)}
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            result = eval("F" + call[len(name) :], space)
            for part in result if isinstance(result, (tuple, list)) else (result,):
                np.asarray(part)
    except Exception as error:
        return error, outs
    return result, outs


def same(actual, expected, call):
    assert isinstance(actual, (tuple, list)) == isinstance(expected, (tuple, list)), call
    if isinstance(expected, (tuple, list)):
        assert (type(actual).__name__, len(actual)) == (type(expected).__name__, len(expected)), call
        for a, e in zip(actual, expected, strict=True):
            same(a, e, call)
    elif isinstance(expected, (np.ndarray, np.generic)):
        a, e = np.asarray(actual), np.asarray(expected)
        assert (a.dtype, a.shape) == (e.dtype, e.shape), call
        assert type(actual) is not np.ndarray or type(expected) is np.ndarray, f"{call}: an array for a scalar"
        if e.dtype.kind in "fc":
            tolerance = {"float16": 2e-3, "float32": 3e-6, "complex64": 3e-6}.get(e.dtype.name, 1e-11)
            scale = float(np.max(np.abs(e[np.isfinite(e)]), initial=1.0))
            np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance * scale, err_msg=call)
        else:
            assert np.array_equal(a, e), call
    else:
        assert type(actual) is type(expected), call
        assert actual == expected, call


GROUPS = grouped()


@pytest.mark.parametrize("convert", [lnp.lazy, lnp.array], ids=["lazy", "eager"])
@pytest.mark.parametrize("name", list(GROUPS))
def test_arguments_mean_what_they_mean_to_numpy(name, convert):
    with lnp.config(backend="reference", **({"lazy_threshold": 0} if convert is lnp.lazy else {})):
        for call in GROUPS[name]:
            expected, filled = answer(np, call, np.copy)
            actual, outs = answer(lnp, call, convert)
            if isinstance(expected, Exception):
                assert type(actual) is type(expected), f"{call}: {actual!r} instead of {expected!r}"
                continue
            assert not isinstance(actual, Exception), f"{call}: {actual!r}"
            same(actual, expected, call)
            for out, e in zip(outs, filled, strict=True):
                same(out, e, call)
                assert (actual is out) == (expected is e) or len(outs) > 1, f"{call}: the array given as out comes back"


# --- what shares memory ---------------------------------------------------------------------------------------------------

SHARING = {
    "transpose": lambda n, x: n.transpose(x),
    "reshape": lambda n, x: n.reshape(x, (3, 8)),
    "reshape F": lambda n, x: n.reshape(x, (3, 8), order="F"),
    "ravel": lambda n, x: n.ravel(x), "ravel of T": lambda n, x: n.ravel(x.T), "ravel F": lambda n, x: n.ravel(x.T, "F"),
    "ravel K": lambda n, x: n.ravel(x.T, "K"),
    "squeeze": lambda n, x: n.squeeze(x[None]),
    "expand_dims": lambda n, x: n.expand_dims(x, 1),
    "flip": lambda n, x: n.flip(x, 1), "rot90": lambda n, x: n.rot90(x), "atleast_3d": lambda n, x: n.atleast_3d(x),
    "split": lambda n, x: n.split(x, 2)[1], "hsplit": lambda n, x: n.hsplit(x, 2)[1], "asarray": lambda n, x: n.asarray(x),
    "real": lambda n, x: n.real(x), "matrix_transpose": lambda n, x: n.matrix_transpose(x), "moveaxis": lambda n, x: n.moveaxis(x, 0, 1),
    "ascontiguousarray": lambda n, x: n.ascontiguousarray(x), "ascontiguousarray T": lambda n, x: n.ascontiguousarray(x.T),
    "copy": lambda n, x: n.copy(x), "array": lambda n, x: n.array(x), "array uncopied": lambda n, x: n.array(x, copy=False),
    "roll": lambda n, x: n.roll(x, 0), "tile": lambda n, x: n.tile(x, 1), "concatenate": lambda n, x: n.concatenate([x]),
    "clip": lambda n, x: n.clip(x, None, 100), "round": lambda n, x: n.round(x), "repeat": lambda n, x: n.repeat(x, 1),
    "triu": lambda n, x: n.triu(x, -9), "broadcast_arrays": lambda n, x: n.broadcast_arrays(x, x)[0], "diag": lambda n, x: n.diag(x),
    "positive": lambda n, x: n.positive(x), "nan_to_num": lambda n, x: n.nan_to_num(x), "flatten": lambda n, x: x.flatten(),
    "astype": lambda n, x: x.astype(float, copy=False),
}  # fmt: skip


@pytest.mark.parametrize("name", list(SHARING))
def test_a_result_shares_memory_where_numpys_does(name, threshold):
    plain, ours = np.arange(24.0).reshape(4, 6), lnp.array(np.arange(24.0).reshape(4, 6))
    results = []
    for namespace, x in ((np, plain), (lnp, ours)):
        y = SHARING[name](namespace, x)
        try:
            y[(0,) * y.ndim] = -5.0
        except ValueError as error:
            y = error
        results.append(type(y) is ValueError)
    assert results[0] == results[1]
    assert np.array_equal(np.asarray(ours), plain)


WRITES = {
    "put": lambda n, x: n.put(x, [0, 5, -1], [7, 8, 9]), "put clip": lambda n, x: n.put(x, [0, 99], [7, 8], mode="clip"),
    "put wrap": lambda n, x: n.put(x.T, [0, 99, -7], [7, 8], mode="wrap"), "put far": lambda n, x: n.put(x, [0, 99], 1),
    "put strided": lambda n, x: x[1:, ::2].put([1, 4, 1], [7, 8, 9]), "put nothing": lambda n, x: n.put(x, [1], []),
    "place strided": lambda n, x: n.place(x.T[1:], x.T[1:] > 3, [1, 2.5]),
    "diagonal wrap": lambda n, x: n.fill_diagonal(x.T, [1, 2], wrap=True),
    "diagonal of cut": lambda n, x: n.fill_diagonal(x[:, :3], [1, 2, 3]),
    "diagonal of line": lambda n, x: n.fill_diagonal(x[0], 1), "partition flat": lambda n, x: x.partition((1, 3)),
    "place": lambda n, x: n.place(x, x > 3, [1, 2]), "putmask": lambda n, x: n.putmask(x, x > 3, [1, 2, 3]),
    "putmask all": lambda n, x: n.putmask(x, x > 3, -x),
    "copyto": lambda n, x: n.copyto(x, 5),
    "copyto where": lambda n, x: n.copyto(x, -1, where=x > 4),
    "copyto complex": lambda n, x: n.copyto(x, 1j),
    "copyto int": lambda n, x: n.copyto(x.astype(int), 2.5),
    "fill_diagonal": lambda n, x: n.fill_diagonal(x, 9),
    "put_along_axis": lambda n, x: n.put_along_axis(x, np.array([[1], [0], [5], [2]]), 99.0, 1),
    "add.at": lambda n, x: n.add.at(x, ([0, 0], [1, 1]), 5.0),
    "subtract.at": lambda n, x: n.subtract.at(x, [0, 1], 1.0),
    "negative.at": lambda n, x: n.negative.at(x, [0]),
    "sort": lambda n, x: x.sort(0),
    "x.put": lambda n, x: x.put([1], [3.0]), "fill": lambda n, x: x.fill(2), "partition": lambda n, x: x[::-1].partition(2, axis=0),
    "shuffle": lambda n, x: n.random.default_rng(0).shuffle(x), "flat": lambda n, x: setattr(x, "flat", [1, 2]),
}  # fmt: skip


@pytest.mark.parametrize("name", list(WRITES))
def test_functions_that_write_write_what_numpy_writes(name, threshold):
    plain, ours = np.arange(24.0).reshape(4, 6), lnp.array(np.arange(24.0).reshape(4, 6))
    errors = []
    for namespace, x in ((np, plain), (lnp, ours)):
        try:
            WRITES[name](namespace, x)
            errors.append(None)
        except (TypeError, IndexError, ValueError) as error:
            errors.append((type(error), str(error)))
    assert errors[0] == errors[1]
    assert np.array_equal(np.asarray(ours), plain)
